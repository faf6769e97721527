package carillon_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is how wide a line with a comment may be, with four columns for a tab.
const maxColumns = 120

// TestCommentsFitIn120Columns checks the lines of all comments, except directives to a tool.
func TestCommentsFitIn120Columns(t *testing.T) {
	checked := 0
	for _, name := range files(t, ".", ".go") {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(file) {
			continue
		}
		lines := strings.Split(string(source), "\n")
		for _, group := range file.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//nolint:") {
					continue
				}
				for n := set.Position(c.Pos()).Line; n <= set.Position(c.End()).Line; n++ {
					checked++
					line := lines[n-1]
					if columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t"); columns > maxColumns {
						t.Errorf("%s:%d has %d columns: wrap its comment at %d", name, n, columns, maxColumns)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no comment was found: this test reads the files wrongly")
	}
}
