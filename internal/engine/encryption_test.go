package engine_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/encryption"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// keyLine is the line of a key in a file.
func keyLine(id string, b byte) string {
	return id + " " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) + "\n"
}

// keyFile returns a new file of keys and what it holds.
func keyFile(t *testing.T, text string) (*encryption.Keys, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	writeFile(t, file, text)
	keys, err := encryption.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys, file
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const secret = "the number of the safe"

func secretAt(at time.Time) job.Spec {
	s := once(at)
	s.Data = &job.Data{TypeURL: "type", Value: []byte(secret)}
	return s
}

// told returns how many records of the store say the secret, and how many jobs have the mark.
func told(t *testing.T, s store.Store, mark string) (secrets, marks int) {
	t.Helper()
	for pair, err := range s.Scan(t.Context(), store.Range{From: []byte{0}}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(pair.Value, []byte(secret)) {
			secrets++
		}
		if pair.Key[0] == 'j' && bytes.Contains(pair.Value, []byte(mark)) {
			marks++
		}
	}
	return secrets, marks
}

func TestSealedJobIsUnreadableOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		keys, _ := keyFile(t, keyLine("first", 1))
		e, stop := run(t, s, a, engine.Config{Keys: keys})
		for i := range 10 {
			mustSchedule(t, e, key("app", fmt.Sprint("job", i)), secretAt(time.Now().Add(time.Hour)))
		}
		if secrets, marks := told(t, s, "first"); secrets != 0 || marks != 10 {
			t.Errorf("%d records say the secret, and %d are sealed, want none and 10", secrets, marks)
		}
		stop()
		e, stop = run(t, s, a, engine.Config{Keys: keys})
		defer stop()
		if got, _, err := e.Get(t.Context(), key("app", "job3")); err != nil || string(got.Data.Value) != secret {
			t.Errorf("Get: %v, %v", got, err)
		}
		listed := 0
		for item, err := range e.List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}) {
			if err != nil || string(item.Spec.Data.Value) != secret {
				t.Errorf("List: %v, %v", item, err)
			}
			listed++
		}
		if listed != 10 {
			t.Errorf("%d are listed, want 10", listed)
		}
		time.Sleep(2 * time.Hour)
		for _, tr := range a.triggers(t) {
			if string(tr.Data.Value) != secret {
				t.Errorf("the app got %q", tr.Data.Value)
			}
		}
		if got := len(a.triggers(t)); got != 10 {
			t.Errorf("the app got %d triggers, want 10", got)
		}
	})
}

func TestStoreIsRefusedWithoutItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		keys, file := keyFile(t, keyLine("first", 1))
		e, stop := run(t, s, a, engine.Config{Keys: keys})
		mustSchedule(t, e, key("app", "a"), secretAt(time.Now().Add(time.Hour)))

		writeFile(t, file, keyLine("second", 2)+keyLine("first", 1))
		time.Sleep(11 * time.Second)
		mustSchedule(t, e, key("app", "b"), secretAt(time.Now().Add(time.Hour)))
		if _, marks := told(t, s, "second"); marks < 1 {
			t.Error("no record is sealed with the new key, want the new one")
		}
		writeFile(t, file, keyLine("third", 3))
		time.Sleep(11 * time.Second)
		mustSchedule(t, e, key("app", "c"), secretAt(time.Now().Add(time.Hour)))
		if _, marks := told(t, s, "third"); marks != 0 {
			t.Error("a file was taken that lacks a key")
		}
		stop()

		for want, keys := range map[string]*encryption.Keys{
			`: name the file`: nil,
			`sealed with the key "second", 3 of them, which the key file has not`: only(keyFile(t, keyLine("first", 1))),
		} {
			err := engine.New(engine.Config{Keys: keys}, s, a, logTo(t)).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run = %v, want %q", err, want)
			}
		}
		_, stop = run(t, s, a, engine.Config{Keys: only(keyFile(t, keyLine("first", 1)+keyLine("second", 2)))})
		defer stop()
		time.Sleep(2 * time.Hour)
		if got := len(a.triggers(t)); got != 3 {
			t.Errorf("the app got %d triggers, want 3", got)
		}
	})
}

func only(k *encryption.Keys, _ string) *encryption.Keys { return k }

func TestUnsealedJobsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		e, stop := run(t, s, a, engine.Config{})
		mustSchedule(t, e, key("app", "before"), secretAt(time.Now().Add(time.Hour)))
		stop()
		e, stop = run(t, s, a, engine.Config{Keys: only(keyFile(t, keyLine("first", 1)))})
		defer stop()
		mustSchedule(t, e, key("app", "after"), secretAt(time.Now().Add(time.Hour)))
		time.Sleep(time.Minute)
		if secrets, _ := told(t, s, ""); secrets != 0 {
			t.Errorf("%d records say the secret, want none: the old one is sealed, too", secrets)
		}
		time.Sleep(2 * time.Hour)
		if got := len(a.triggers(t)); got != 2 {
			t.Errorf("the app got %d triggers, want 2", got)
		}
	})
}

// An attacker who can write to the disk cannot give one job the payload of another.
func TestMovedEnvelopeDoesNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := open(t, vfs.NewMem()), &app{}
		defer s.Close()
		keys, _ := keyFile(t, keyLine("first", 1))
		e, stop := run(t, s, a, engine.Config{Keys: keys, Partitions: 1})
		at := time.Now().Add(time.Hour)
		for _, name := range []string{"a", "b", "c"} {
			mustSchedule(t, e, key("app", name), secretAt(at))
		}
		stop()
		var envelopes []store.Pair
		for pair, err := range s.Scan(t.Context(), store.Prefix([]byte("j")), 0) {
			if err != nil {
				t.Fatal(err)
			}
			envelopes = append(envelopes, store.Pair{Key: bytes.Clone(pair.Key), Value: bytes.Clone(pair.Value)})
		}
		var b store.Batch
		b.Put(envelopes[1].Key, envelopes[0].Value)
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		e, stop = run(t, s, a, engine.Config{Keys: keys, Partitions: 1})
		defer stop()
		if _, _, err := e.Get(t.Context(), key("app", "b")); err == nil || !strings.Contains(err.Error(), "it is sealed, and does not open") {
			t.Errorf("Get: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if got := len(a.triggers(t)); got != 2 {
			t.Errorf("the app got %d triggers, want the two whose envelopes are theirs", got)
		}
		if err := e.Schedule(t.Context(), key("app", "b"), secretAt(time.Now().Add(time.Minute)), true); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got := len(a.triggers(t)); got != 3 {
			t.Errorf("the app got %d triggers, want the one that was scheduled again, too", got)
		}
	})
}

func TestUsageOfNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		size := func(name string) job.Spec {
			s := once(time.Now().Add(time.Hour))
			s.Data = &job.Data{Value: []byte(name)}
			return s
		}
		for _, k := range []job.Key{
			key("app", "a"),
			key("other", "bb"),
			{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "T"}, ActorID: "1", Name: "r"},
			{Target: job.Target{Kind: job.App, Namespace: "ns2", Name: "app"}, Name: "a"},
			{Target: job.Target{Kind: job.App, Namespace: "n", Name: "app"}, Name: "a"},
		} {
			mustSchedule(t, e, k, size(k.Name))
		}
		jobs, bytes, err := e.Usage(t.Context(), "ns")
		if err != nil || jobs != 3 || bytes < 60 || bytes > 300 {
			t.Errorf("%d jobs, %d bytes, %v; want 3 jobs of some bytes", jobs, bytes, err)
		}
		if jobs, bytes, err := e.Usage(t.Context(), "none"); err != nil || jobs != 0 || bytes != 0 {
			t.Errorf("%d jobs, %d bytes, %v in a namespace without any", jobs, bytes, err)
		}
	})
}

func TestStoreOpensOnceAllKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		harm(t, s, func(b *store.Batch) { b.Put([]byte("mk"), nil) })
		e, stop := run(t, s, &app{}, engine.Config{})
		defer stop()
		mustSchedule(t, e, key("app", "a"), once(time.Now().Add(time.Hour)))
	})
}

func TestForgottenKeyNameCanBeReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		for _, keys := range []string{keyLine("a", 1), keyLine("b", 2), keyLine("a", 3) + keyLine("b", 2)} {
			e, stop := run(t, s, &app{}, engine.Config{Keys: only(keyFile(t, keys))})
			time.Sleep(time.Minute)
			if err := e.Health(); err != nil {
				t.Errorf("with the keys %q: %v", keys, err)
			}
			stop()
		}
	})
}
