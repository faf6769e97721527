package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
}

// list asks go list about packages.
func list(ctx context.Context, args ...string) ([]pkg, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,Name,Export,GoFiles"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %v: %w", args, err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list %v: %w", args, err)
		}
		all = append(all, p)
	}
}

// sources parses and checks the files of a package.
func sources(ctx context.Context, p pkg) ([]*sourceFile, error) {
	deps, err := list(ctx, "-export", "-deps", p.ImportPath)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, d := range deps {
		exports[d.ImportPath] = d.Export
	}
	fset, next := token.NewFileSet(), 0
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	var all []*sourceFile
	var files []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		all = append(all, &sourceFile{name: name, text: text, file: f, fset: fset, info: info, next: &next})
	}
	from := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	check := types.Config{Importer: importer.ForCompiler(fset, "gc", from)}
	if _, err := check.Check(p.ImportPath, fset, files, info); err != nil {
		return nil, fmt.Errorf("check %s: %w", p.ImportPath, err)
	}
	for _, s := range all {
		s.find()
	}
	return all, nil
}

// runtimeFile is what mutants need, in the package itself.
const runtimeFile = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantNow, _  = strconv.Atoi(os.Getenv("MUTANT"))
	mutantPath    = os.Getenv("MUTANT_REACHED")
	mutantReached [%d]atomic.Bool
)

// mutant reports whether that one is in force.
func mutant(n int) bool {
	if mutantPath != "" && !mutantReached[n].Swap(true) {
		if f, err := os.OpenFile(mutantPath, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintln(f, n)
			f.Close()
		}
	}
	return n == mutantNow
}

func mutantPick[T any](n int, changed, as T) T {
	if mutant(n) {
		return changed
	}
	return as
}
`

// build makes a test binary of p with all its mutants.
func build(ctx context.Context, p pkg, all []*sourceFile, dir string) (binary string, err error) {
	replace := map[string]string{}
	put := func(name string, text []byte) error {
		path := filepath.Join(dir, name)
		replace[filepath.Join(p.Dir, name)] = path
		return os.WriteFile(path, text, 0o600)
	}
	for _, s := range all {
		if err := put(s.name, s.mutated()); err != nil {
			return "", err
		}
	}
	if err := put("mutant_runtime.go", fmt.Appendf(nil, runtimeFile, p.Name, *all[0].next+1)); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, p.ImportPath)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the mutants of %s: %w\n%s", p.ImportPath, err, out)
	}
	return binary, nil
}
