package carillon_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entangledPackages are the packages whose files may refer to one another in both directions, and why.
var entangledPackages = map[string]string{}

// TestFilesReferInOneDirection fails if two files of a package refer to one another, directly or through
// other files, unless the package is one of entangledPackages.
func TestFilesReferInOneDirection(t *testing.T) {
	load := exportData(t)
	found := 0
	entangled := map[string]bool{}
	for _, p := range packages(t) {
		refs := fileReferences(t, p, load)
		found += len(refs)
		for _, file := range slices.Sorted(maps.Keys(refs)) {
			for _, other := range slices.Sorted(maps.Keys(refs[file])) {
				path := pathBetween(refs, other, file, map[string]bool{})
				if path == nil {
					continue
				}
				entangled[p.name()] = true
				if entangledPackages[p.name()] == "" {
					t.Errorf("%s: %s uses %s of %s, from where references lead back: %s: move what is used into a file below both",
						p.name(), file, refs[file][other], other, strings.Join(path, " → "))
				}
			}
		}
	}
	if found == 0 {
		t.Error("no file refers to another: this test reads them wrongly")
	}
	for name := range entangledPackages {
		if !entangled[name] {
			t.Errorf("the files of %s refer in one direction: remove it from entangledPackages", name)
		}
	}
}

// exportData returns a function that opens the compiled form of an imported package.
func exportData(t *testing.T) importer.Lookup {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[name] = file
	}
	return func(name string) (io.ReadCloser, error) { return os.Open(files[name]) }
}

// fileReferences returns which files of a package each file refers to, with a name that it uses. It leaves
// out generated files.
func fileReferences(t *testing.T, p pkg, load importer.Lookup) map[string]map[string]string {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	generated := map[string]bool{}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		generated[name] = ast.IsGenerated(f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", load)}
	own, err := config.Check(p.ImportPath, set, files, info)
	if err != nil {
		t.Fatal(fmt.Errorf("check %s: %w", p.name(), err))
	}
	fileOf := func(p token.Pos) string { return filepath.Base(set.Position(p).Filename) }
	refs := map[string]map[string]string{}
	for id, used := range info.Uses {
		from, to := fileOf(id.Pos()), fileOf(used.Pos())
		if used.Pkg() != own || from == to || generated[from] || generated[to] {
			continue
		}
		if refs[from] == nil {
			refs[from] = map[string]string{}
		}
		refs[from][to] = used.Name()
	}
	return refs
}

// pathBetween returns the files through which references lead from one file to another, or nil.
func pathBetween(refs map[string]map[string]string, from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	seen[from] = true
	for _, next := range slices.Sorted(maps.Keys(refs[from])) {
		if !seen[next] {
			if rest := pathBetween(refs, next, to, seen); rest != nil {
				return append([]string{from}, rest...)
			}
		}
	}
	return nil
}
