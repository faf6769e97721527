package encryption

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCipherMatchesItsSpecification opens the specification's two vectors.
func TestCipherMatchesItsSpecification(t *testing.T) {
	for _, c := range []struct {
		key           byte
		extra, sealed string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		k, _ := keys(t, line("a", c.key))
		sealed, err := hex.DecodeString(c.sealed)
		if err != nil {
			t.Fatal(err)
		}
		envelope := append([]byte("\x01aABCDEFGHIJKLMNOPQRSTUVWX"), sealed...)
		if plain, err := k.Open(envelope, []byte(c.extra)); err != nil || string(plain) != "XAES-256-GCM" {
			t.Errorf("key %d: it opens as %q, %v", c.key, plain, err)
		}
	}
}

// line is that of a key in a file.
func line(id string, b byte) string {
	return id + " " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keyBytes)) + "\n"
}

// keys returns those of a new file, and its name.
func keys(t testing.TB, text string) (k *Keys, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "keys")
	write(t, file, text)
	k, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return k, file
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEnvelopeOpensOnlyUnchangedForItsOwner(t *testing.T) {
	k, _ := keys(t, line("a", 1))
	plain, owner := []byte("what is in it"), []byte("owner")
	sealed := k.Seal([]byte("front"), plain, owner)[len("front"):]
	if len(sealed) != k.Size(len(plain)) {
		t.Errorf("it has %d bytes, and Size says %d", len(sealed), k.Size(len(plain)))
	}
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, k.Seal(nil, plain, owner)) {
		t.Error("it can be read, or two are alike")
	}
	if got, err := k.Open(sealed, owner); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("it opens as %q, %v", got, err)
	}
	if _, err := k.Open(sealed, []byte("another")); !errors.Is(err, errEnvelope) {
		t.Errorf("for another owner: %v", err)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, err := k.Open(damaged, owner); err == nil {
			t.Errorf("it opens with byte %d changed", i)
		}
		if _, err := k.Open(sealed[:i], owner); err == nil {
			t.Errorf("it opens when cut to %d bytes", i)
		}
	}
}

func TestNewFirstLineRotatesKey(t *testing.T) {
	k, file := keys(t, "# ours\n\n"+line("old", 1))
	none := func(id string) error { t.Errorf("%q is told", id); return nil }
	if err := k.Reload(none); err != nil {
		t.Error(err)
	}
	before := k.Seal(nil, []byte("before"), nil)

	write(t, file, line("new", 2)+line("old", 1))
	if err := k.Reload(func(string) error { return errors.New("not now") }); err == nil || k.Current() != "old" || k.Has("new") {
		t.Errorf("%v, and %s seals: want the old one until the new one is told", err, k.Current())
	}
	told := ""
	if err := k.Reload(func(id string) error { told = id; return nil }); err != nil || told != "new" || k.Current() != "new" {
		t.Errorf("%v, %q was told, and %s seals", err, told, k.Current())
	}
	after := k.Seal(nil, []byte("after"), nil)
	for want, sealed := range map[string][]byte{"before": before, "after": after} {
		if got, err := k.Open(sealed, nil); err != nil || string(got) != want {
			t.Errorf("%q opens as %q, %v", want, got, err)
		}
	}
	other, _ := keys(t, line("old", 1))
	if _, err := other.Open(after, nil); err == nil || !strings.Contains(err.Error(), `encrypted with the key "new"`) {
		t.Errorf("without the key: %v", err)
	}

	for what, text := range map[string]string{
		`the key "old" is missing`:  line("new", 2),
		`the key "old" has changed`: line("new", 2) + line("old", 3),
		"the file has no key":       "",
		"line 1 is not":             "new",
	} {
		write(t, file, text)
		if err := k.Reload(none); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	if got, err := k.Open(before, nil); err != nil || string(got) != "before" {
		t.Errorf("after that it opens as %q, %v", got, err)
	}
}

func TestInvalidKeyFileIsRefusedAndNotShown(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keyBytes))
	for text, want := range map[string]string{
		"":                                     "the file has no key",
		"# " + secret:                          "the file has no key",
		secret:                                 "line 1 is not an id and 32 bytes in base64",
		"a " + secret[4:]:                      "line 1 is not an id and 32 bytes in base64",
		"a " + secret + secret:                 "line 1 is not an id and 32 bytes in base64",
		"a " + secret + "\na " + secret:        "line 2 repeats the id \"a\"",
		strings.Repeat("a", 65) + " " + secret: "line 1 has an id of more than 64 bytes",
	} {
		file := filepath.Join(t.TempDir(), "keys")
		write(t, file, text)
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret[4:]) {
			t.Errorf("%v, want %q and no secret", err, want)
		}
	}
	if _, err := Open("no/file"); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func BenchmarkSeal(b *testing.B) {
	each(b, func(k *Keys, plain, owner, _ []byte) error {
		k.Seal(nil, plain, owner)
		return nil
	})
}

func BenchmarkOpen(b *testing.B) {
	each(b, func(k *Keys, _, owner, sealed []byte) error {
		_, err := k.Open(sealed, owner)
		return err
	})
}

// each calls f with records as jobs have them, of 64 bytes and more of data, and a key of 20 bytes.
func each(b *testing.B, f func(k *Keys, plain, owner, sealed []byte) error) {
	k, _ := keys(b, line("a", 1))
	owner := make([]byte, 20)
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			plain := make([]byte, size)
			sealed := k.Seal(nil, plain, owner)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(k, plain, owner, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
