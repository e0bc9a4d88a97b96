package dialecttest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Page says which words of a dialect's code its page of the manual has to name.
type Page struct {
	Name   string         // of the file in docs/dialects
	Files  []string       // patterns of the source files; tests are never among them
	Except []string       // source files that the patterns match, but that are about something else
	Word   *regexp.Regexp // how words of the wire look
	Values []string       // words that look so and need no mention
	Places []Place        // where in the code they stand
	Least  int            // how many there are at least: with fewer, the test looks for the wrong thing
}

// Place picks the expressions of a node of a syntax tree that have words of the wire in them.
type Place func(ast.Node) []ast.Expr

// Cases are those of switches.
func Cases(n ast.Node) []ast.Expr {
	if c, ok := n.(*ast.CaseClause); ok {
		return c.List
	}
	return nil
}

// Comparisons are the right sides of == and !=.
func Comparisons(n ast.Node) []ast.Expr {
	if b, ok := n.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return []ast.Expr{b.Y}
	}
	return nil
}

// Variables are the values of var declarations.
func Variables(n ast.Node) (values []ast.Expr) {
	if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.VAR {
		for _, spec := range d.Specs {
			values = append(values, spec.(*ast.ValueSpec).Values...)
		}
	}
	return values
}

// Arguments are those of calls of functions whose names begin with a prefix.
func Arguments(prefix string) Place {
	return func(n ast.Node) []ast.Expr {
		if c, ok := n.(*ast.CallExpr); ok {
			if f, ok := c.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(f.Sel.Name, prefix) {
				return c.Args
			}
		}
		return nil
	}
}

// Check fails the test for every word that the code knows and the page does not name.
func (p Page) Check(t *testing.T) {
	t.Helper()
	named := p.named(t)
	found := 0
	for _, file := range p.files(t) {
		for _, word := range p.words(t, file) {
			if found++; !named[word] {
				t.Errorf("%s knows %q, which docs/dialects/%s does not name", file, word, p.Name)
			}
		}
	}
	if found < p.Least {
		t.Errorf("only %d words found: this test looks for the wrong thing", found)
	}
}

// named are the page's code spans, their words, and the members of paths in them.
func (p Page) named(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "dialects", p.Name))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, span := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(page), -1) {
		named[span[1]] = true
		for _, word := range regexp.MustCompile(`[A-Za-z_.]+`).FindAllString(span[1], -1) {
			named[word] = true
			for part := range strings.SplitSeq(word, ".") {
				named[part] = true
			}
		}
	}
	return named
}

func (p Page) files(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range p.Files {
		matched, err := filepath.Glob(pattern)
		if err != nil || len(matched) == 0 {
			t.Fatalf("no files are %s: %v", pattern, err)
		}
		files = append(files, matched...)
	}
	return slices.DeleteFunc(files, func(file string) bool {
		return strings.HasSuffix(file, "_test.go") || slices.Contains(p.Except, file)
	})
}

// words are the words of the wire in a source file.
func (p Page) words(t *testing.T, file string) (words []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	collect := func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if word, err := strconv.Unquote(lit.Value); err == nil && p.Word.MatchString(word) && !slices.Contains(p.Values, word) {
				words = append(words, word)
			}
		}
		return true
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		for _, place := range p.Places {
			for _, e := range place(n) {
				ast.Inspect(e, collect)
			}
		}
		return true
	})
	return words
}
