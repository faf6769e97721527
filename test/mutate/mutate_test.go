package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnnoticedMutantsAreFound has a module with a test that looks at one side of a bound.
func TestUnnoticedMutantsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"a.go":   "package m\n\nfunc Small(n int) bool {\n\tif n < 10 {\n\t\treturn true\n\t}\n\treturn false\n}\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\nfunc TestSmall(t *testing.T) {\n" +
			"\tif !Small(9) || Small(11) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out bytes.Buffer
	all, err := list(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if err := (settings{jobs: 1, seed: 1, out: &out}).judge(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SURVIVED a.go:4: Small: < is <=: n < 10\n", "m: 2 of 3 mutants noticed, 66.7 %"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says %q, want %q", out.String(), want)
		}
	}
}
