package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"carillon/internal/exit"
)

func TestKeysAreShownInEachFormat(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("2026-11 "+strings.Repeat("A", 43)+"=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := startScheduler(t, "--etcd-data-dir", dir, "--encryption-key-file", file)
	d.schedule(ctx, t, "a")
	folder := filepath.Join(dir, "carillon")
	if code, said := carry(t, "keys", "--data-dir", folder); code != exit.Failed || !strings.Contains(said, "a running carillon has it open: stop it first, or read its metric carillon_sealed_jobs") {
		t.Errorf("of a folder in use: %d %q", code, said)
	}
	d.stop(t, syscall.SIGTERM)
	for form, want := range map[string]string{
		"table": "2026-11\t1\n",
		"csv":   "KEY,JOBS\n2026-11,1\n",
		"name":  "2026-11\n",
		"json":  "[\n  {\n    \"key\": \"2026-11\",\n    \"jobs\": 1\n  }\n]\n",
		"yaml":  "- key: 2026-11\n  jobs: 1\n",
	} {
		if code, said := carry(t, "keys", "--data-dir", folder, "-o", form); code != exit.OK || said != want {
			t.Errorf("%s: %d %q, want %q", form, code, said, want)
		}
	}
	if code, said := carry(t, "keys"); code != exit.Usage || !strings.Contains(said, "give either --data-dir or --etcd") {
		t.Errorf("without a folder: %d %q", code, said)
	}
	if code, said := carry(t, "keys", "--data-dir", t.TempDir()); code != exit.Failed || !strings.Contains(said, "no store is there") {
		t.Errorf("of an empty folder: %d %q", code, said)
	}
}
