package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/exit"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

func TestQuarantineIsListedExportedAndDeleted(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "carillon")
	d := startScheduler(t, "--etcd-data-dir", dir)
	d.stop(t, syscall.SIGTERM)
	damaged := "d\x00\x07garbage"
	db, err := pebblestore.Open(pebblestore.Config{Dir: folder}, slog.New(slog.DiscardHandler))
	must(t, err)
	var b store.Batch
	b.Put([]byte(damaged), []byte("a value"))
	b.Put([]byte("j\x00broken"), []byte("\xff"))
	must(t, db.Commit(t.Context(), &b))
	must(t, db.Close())

	d = startScheduler(t, "--etcd-data-dir", dir)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream := d.watch(ctx, t)
	d.schedule(ctx, t, "now")
	if trigger, err := stream.Recv(); err != nil || trigger.GetName() != "now" {
		t.Errorf("the sidecar received %v, %v", trigger, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		body := d.health(t, http.StatusOK)
		if strings.Contains(body, "quarantined: 1 keys of the store cannot be used") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("health says %q", body)
		}
	}
	if _, body := d.get(t, "metrics", "/metrics"); !strings.Contains(body, `carillon_quarantined{kind="due"} 1`) {
		t.Error("no metric says that a key of the due index is in quarantine")
	}
	time.Sleep(1500 * time.Millisecond) // a node writes its findings once a second, which nothing shows
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	must(t, d.wait())
	if said := d.said.String(); !strings.Contains(said, "the store holds what cannot be used") || !strings.Contains(said, "64000767617262616765") {
		t.Errorf("the log does not name the key: %s", said)
	}

	code, said := carry(t, "quarantine", "list", "--data-dir", folder, "-o", "json")
	var found []struct {
		ID, Kind, Key, Reason string
		Bytes                 int
		FirstSeen             *time.Time
	}
	if err := json.Unmarshal([]byte(said), &found); code != exit.OK || err != nil || len(found) != 2 {
		t.Fatalf("list: %d, %v: %s", code, err, said)
	}
	f := found[0]
	if f.Kind != "due" || f.Key != "64000767617262616765" || f.Bytes != 7 || !strings.Contains(f.Reason, "malformed key") || f.FirstSeen == nil {
		t.Errorf("found %+v", f)
	}
	for _, form := range []string{"table", "yaml"} {
		if code, said := carry(t, "quarantine", "list", "--data-dir", folder, "-o", form); code != exit.OK || !strings.Contains(said, f.ID) || !strings.Contains(said, "malformed key") {
			t.Errorf("%s: %d %q", form, code, said)
		}
	}
	file := filepath.Join(t.TempDir(), "value")
	if code, said := carry(t, "quarantine", "export", f.ID, file, "--data-dir", folder); code != exit.OK {
		t.Errorf("export: %d %q", code, said)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a value" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	for _, f := range found {
		if code, said := carry(t, "quarantine", "delete", f.ID, "--data-dir", folder); code != exit.OK {
			t.Errorf("delete: %d %q", code, said)
		}
	}
	if code, said := carry(t, "quarantine", "list", "--data-dir", folder, "-o", "json"); code != exit.OK || strings.TrimSpace(said) != "[]" {
		t.Errorf("after all were deleted: %d %q", code, said)
	}
	if code, said := carry(t, "quarantine", "delete", f.ID, "--data-dir", folder); code != exit.Failed || !strings.Contains(said, "no quarantined entry has the id") {
		t.Errorf("delete of what is gone: %d %q", code, said)
	}
	if code, _ := carry(t, "quarantine", "--data-dir", folder); code != exit.Usage {
		t.Errorf("without a word: %d", code)
	}
}
