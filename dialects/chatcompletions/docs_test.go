package chatcompletions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestThePageNamesEveryMember holds docs/dialects/chat.md against the code: every word of the wire that the request
// decoder has a case for stands there, and every vendor that has rules of its own.
func TestThePageNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/dialects/chat.md")
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
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, file := range append(files, "details.go", "vendor.go") {
		if file == "decode_response.go" {
			continue
		}
		for _, word := range caseWords(t, file) {
			if known++; !named[word] {
				t.Errorf("%s knows %q, which the page does not name", file, word)
			}
		}
	}
	if known < 100 {
		t.Errorf("only %d words found: does this test still read the code?", known)
	}
}

// wireWord is how members and their values look on the wire.
var wireWord = regexp.MustCompile(`^[a-z][a-z_.]+$`)

// caseWords are the wire's words in the cases of a file's switches.
func caseWords(t *testing.T, file string) (words []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, e := range clause.List {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if word, _ := strconv.Unquote(lit.Value); wireWord.MatchString(word) {
					words = append(words, word)
				}
			}
		}
		return true
	})
	return words
}
