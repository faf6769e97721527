package archive_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/archive"
	"carillon/internal/store/pebblestore"
)

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func quiet(int) {}

// fill returns a store of that many pairs, some of them empty and some large.
func fill(t *testing.T, n int) store.Store {
	t.Helper()
	s := open(t)
	for i := range n {
		var b store.Batch
		b.Put(fmt.Append(nil, "key ", i), bytes.Repeat([]byte{byte(i)}, i%50*i%3000))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func archived(t *testing.T, s store.Store) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := archive.Write(t.Context(), &file, s, everything, quiet); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestRestoreEqualsBackup(t *testing.T) {
	before, after := fill(t, 2500), open(t)
	file := archived(t, before)
	if n, err := archive.Check(bytes.NewReader(file)); n != 2500 || err != nil {
		t.Errorf("Check = %d, %v; want 2500 pairs", n, err)
	}
	if n, err := archive.Read(t.Context(), bytes.NewReader(file), after, everything, everything, quiet); n != 2500 || err != nil {
		t.Fatalf("Read = %d, %v; want 2500 pairs", n, err)
	}
	if again := archived(t, after); !bytes.Equal(file, again) {
		t.Error("the archive of what was restored is another")
	}
}

func TestIncompleteArchiveIsRefused(t *testing.T) {
	file := archived(t, fill(t, 12))
	for n := 0; n < len(file); n += 1 + n/100 {
		if _, err := archive.Check(bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("its first %d bytes of %d pass as an archive", n, len(file))
		}
		changed := bytes.Clone(file)
		changed[n] ^= 0x10
		if _, err := archive.Check(bytes.NewReader(changed)); err == nil {
			t.Fatalf("with byte %d changed it passes as an archive", n)
		}
	}
}

func TestRestoreIntoNonEmptyStoreIsRefused(t *testing.T) {
	file := archived(t, fill(t, 3))
	if _, err := archive.Read(t.Context(), bytes.NewReader(file), fill(t, 1), everything, everything, quiet); err == nil {
		t.Error("it was")
	}
}

func everything([]byte) bool { return true }

func TestRestoreChecksStoreFormat(t *testing.T) {
	var file bytes.Buffer
	if _, err := archive.Write(t.Context(), &file, fill(t, 10), everything, quiet); err != nil {
		t.Fatal(err)
	}
	none := func([]byte) bool { return false }
	if n, err := archive.Read(t.Context(), bytes.NewReader(file.Bytes()), fill(t, 1), everything, none, quiet); n != 10 || err != nil {
		t.Errorf("Read into a store that holds no job = %d, %v", n, err)
	}
	other := fill(t, 1)
	var b store.Batch
	for p, err := range other.Scan(t.Context(), store.Range{}, 1) {
		if err != nil {
			t.Fatal(err)
		}
		b.Put(bytes.Clone(p.Key), []byte("other"))
	}
	if err := other.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Read(t.Context(), bytes.NewReader(file.Bytes()), other, everything, none, quiet); err == nil {
		t.Error("Read into a store of another kind succeeds")
	}
}
