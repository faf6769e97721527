package carillon_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files returns the paths under root that end in suffix, without those in hidden folders and in what npm installs.
func files(t *testing.T, root, suffix string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, suffix):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// documents returns the text of each document by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, path := range slices.Concat(files(t, "docs", ".md"), files(t, "examples", ".md"), []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}) {
		all[path] = read(t, path)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns what follows the heading of that name, as far as the next one.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("there is no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// rows returns the cells of the tables in text, without headings.
func rows(text string) [][]string {
	var all [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "| ") || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---") {
			continue
		}
		var cells []string
		line = strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00")
		for cell := range strings.SplitSeq(line, "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
		}
		all = append(all, cells)
	}
	return all
}

// code returns the spans of code in text.
func code(text string) []string {
	var spans []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// blocks returns the lines of the shell examples in text, each of which may go on over several.
func blocks(text string) [][]string {
	var all [][]string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Split(strings.ReplaceAll(m[1], "\\\n", ""), "\n"))
	}
	return all
}

func TestDocumentsStayShort(t *testing.T) {
	for path, limit := range map[string]int{"README.md": 100, "docs/architecture.md": 220, "docs/operating.md": 150} {
		if n := strings.Count(read(t, path), "\n"); n >= limit {
			t.Errorf("%s has %d lines, want fewer than %d", path, n, limit)
		}
	}
}

func TestLinksAreValid(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced := regexp.MustCompile("(?s)```.*?```")
	for path, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), to)); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
}

func TestMakeTargetsOfDocumentsExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for path, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names `make %s`, which the Makefile has not", path, m[1])
			}
		}
	}
}

// tests returns the names of all tests, as package.Test, and of all scripts, as package/script.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, path := range files(t, ".", "_test.go") {
		pkg := filepath.Base(filepath.Dir(path))
		if pkg == "." {
			pkg = module
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil {
				all[pkg+"."+d.Name.Name] = true
			}
		}
	}
	for _, path := range files(t, ".", ".txt") {
		if dir, ok := strings.CutSuffix(filepath.ToSlash(filepath.Dir(path)), "/testdata/script"); ok {
			all[filepath.Base(dir)+"/"+filepath.Base(path)] = true
		}
	}
	return all
}

func TestCompatibilityClaimsNameTests(t *testing.T) {
	all := tests(t)
	for _, row := range rows(read(t, "docs/compat.md")) {
		if len(row) == 2 { // the last cell is empty
			row = append(row, "")
		}
		if len(row) != 3 {
			t.Errorf("%q: %d cells, want 3", row, len(row))
			continue
		}
		shown := code(row[2])
		if len(shown) == 0 && row[2] != "no test" && !strings.HasPrefix(row[1], "not yet") {
			t.Errorf("%q: no test shows it; say so, or name one", row[0])
		}
		for _, name := range shown {
			if !all[name] {
				t.Errorf("%q: there is no %s", row[0], name)
			}
		}
	}
}

// TestDocumentsNameTestsThatExist checks each test in backquotes, with or without its package.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	all := tests(t)
	for name := range maps.Clone(all) {
		_, function, _ := strings.Cut(name, ".")
		all[function] = true
	}
	named := regexp.MustCompile("`((?:[a-z]\\w*\\.)?(?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	for path, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if !all[m[1]] {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}
}

func TestBoundariesNameTests(t *testing.T) {
	all := tests(t)
	text := read(t, "SECURITY.md")
	boundaries, ports := rows(section(t, text, "The boundaries")), rows(section(t, text, "The ports"))
	if len(boundaries) == 0 || len(ports) == 0 {
		t.Error("SECURITY.md names no boundary, or no port: this test reads it wrongly")
	}
	for _, row := range append(boundaries, ports...) {
		if len(row) != 4 {
			t.Errorf("%q: %d cells, want 4", row, len(row))
			continue
		}
		held := code(row[3])
		if len(held) == 0 {
			t.Errorf("%q: no test holds it", row[0])
		}
		for _, name := range held {
			if !all[name] {
				t.Errorf("%q: there is no %s", row[0], name)
			}
		}
	}
}

// logged returns the messages of package main and those below internal that are logged as warnings or errors, or at a
// level that is decided at run time.
func logged(t *testing.T) []string {
	t.Helper()
	messages := make(map[string]bool)
	for _, path := range append(files(t, "internal", ".go"), files(t, "cmd", ".go")...) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && warns(call) {
				for _, arg := range call.Args {
					if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
						message, err := strconv.Unquote(text.Value)
						if err != nil {
							t.Fatal(err)
						}
						messages[message] = true
					}
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(messages))
}

// warns reports whether a call is one of a logger, such as l.log.Warn, that may be of a warning or an error.
func warns(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || last(method.X) != "log" {
		return false
	}
	switch method.Sel.Name {
	case "Warn", "WarnContext", "Error", "ErrorContext":
		return true
	case "Log", "LogAttrs":
		level := last(call.Args[1])
		return level != "LevelDebug" && level != "LevelInfo" && level != "LevelTrace"
	}
	return false
}

// last returns the last name of an expression like a.b.
func last(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func TestEachWarningIsExplained(t *testing.T) {
	var explained []string
	for _, row := range rows(section(t, read(t, "docs/alarms.md"), "What the log says")) {
		explained = append(explained, code(row[0])...)
	}
	slices.Sort(explained)
	if diff := cmp.Diff(logged(t), explained); diff != "" {
		t.Errorf("messages of the code (-) and of docs/alarms.md (+):\n%s", diff)
	}
}
