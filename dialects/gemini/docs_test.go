package gemini

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

// TestTheManualNamesEveryMemberThatIsRead finds the members in the code: they are what the decoder's switches and
// comparisons of keys are about.
func TestTheManualNamesEveryMemberThatIsRead(t *testing.T) {
	manual, err := os.ReadFile(filepath.Join("..", "..", "docs", "dialects", "gemini.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("decode_*.go")
	if err != nil {
		t.Fatal(err)
	}
	member := regexp.MustCompile(`^[a-z][a-zA-Z]+$`)
	notMembers := map[string]bool{ // values, the wrappers of results, and the neutral word for a role
		"user": true, "tool": true, "function": true, "error": true, "standard": true, "unspecified": true,
	}
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "decode_response.go" || name == "decode_part.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		check := func(e ast.Expr) {
			lit, ok := e.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return
			}
			s, err := strconv.Unquote(lit.Value)
			if err != nil || !member.MatchString(s) || notMembers[s] {
				return
			}
			seen++
			if !strings.Contains(string(manual), "`"+s+"`") {
				t.Errorf("%s reads %s, which the manual does not name", name, s)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CaseClause:
				for _, e := range n.List {
					check(e)
				}
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					check(n.Y)
				}
			}
			return true
		})
	}
	if seen < 40 {
		t.Errorf("only %d members were found in the code", seen)
	}
}
