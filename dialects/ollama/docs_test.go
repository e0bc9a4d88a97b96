package ollama

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

// TestThePageNamesEveryMember compares docs/dialects/ollama.md with the members that the code reads and writes.
func TestThePageNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/dialects/ollama.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, member := range members(t, file) {
			found++
			if !named[member] {
				t.Errorf("%s knows %q, which the page does not name", file, member)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d members found: this test looks for the wrong thing", found)
	}
}

// members are the words that a file compares keys and values with, and the keys that it writes.
func members(t *testing.T, file string) (words []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	add := func(list []ast.Expr) {
		for _, e := range list {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && word.MatchString(s) && s != "true" && s != "null" {
					words = append(words, s)
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CaseClause:
			add(n.List)
		case *ast.CallExpr:
			if call, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(call.Sel.Name, "Append") || ok && call.Sel.Name == "number" {
				add(n.Args)
			}
		}
		return true
	})
	return words
}

var word = regexp.MustCompile("^[A-Za-z][A-Za-z_-]+$")
