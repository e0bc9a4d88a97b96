package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestThePageNamesWhatTheDecoderKnows compares the words in the tables of the dialect's page with those that decoding a
// request looks for.
func TestThePageNamesWhatTheDecoderKnows(t *testing.T) {
	page, err := os.ReadFile("../../docs/dialects/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "|") || strings.Contains(line, "`role`") || strings.Contains(line, "(`url`") {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				for word := range strings.FieldsFuncSeq(m[1], func(r rune) bool { return r == '.' || r == ':' || r == ' ' }) {
					named[word] = true
				}
			}
		}
	}
	for _, file := range []string{"decode_request.go", "decode_options.go", "decode_blocks.go"} {
		for _, word := range caseWords(t, file) {
			if !named[word] {
				t.Errorf("%s reads %q, which the page does not name", file, word)
			}
		}
	}
}

// caseWords are the strings that a file's switches look for.
func caseWords(t *testing.T, file string) (words []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
						words = append(words, s)
					}
				}
			}
		}
		return true
	})
	if len(words) == 0 {
		t.Fatalf("%s has no switch on words", file)
	}
	return words
}
