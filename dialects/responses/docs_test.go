package responses

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestThePageNamesEveryMember holds docs/dialects/responses.md against the code: every word of the wire that the request
// decoder knows, as the case of a switch or in the table of hosted items, has to stand there.
func TestThePageNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/dialects/responses.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, span := range regexp.MustCompile("`[^`\n]+`").FindAllString(string(page), -1) {
		for _, word := range regexp.MustCompile(`[A-Za-z_.]+`).FindAllString(span, -1) {
			named[word] = true
		}
	}
	files, err := filepath.Glob("decode_*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no decoder found: ", err)
	}
	known := 0
	for _, file := range files {
		if file == "decode_response.go" {
			continue
		}
		for _, word := range wireWords(t, file) {
			if known++; !named[word] {
				t.Errorf("%s knows %q, which the page does not name", file, word)
			}
		}
	}
	if known < 100 {
		t.Errorf("only %d words found: does this test still read the decoder?", known)
	}
}

// wireWords are the words in the cases of switches, and in the composite literals of the file's variables.
func wireWords(t *testing.T, file string) (words []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if word, _ := strconv.Unquote(lit.Value); len(word) > 1 && !strings.ContainsAny(word, " :/\\") && !strings.HasPrefix(word, ".") && !strings.HasPrefix(word, "_") {
					words = append(words, strings.Trim(word, `"`))
				}
			}
			return true
		})
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CaseClause:
			for _, e := range n.List {
				collect(e)
			}
		case *ast.GenDecl:
			if n.Tok == token.VAR {
				collect(n)
			}
		}
		return true
	})
	return words
}
