package pebblestore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestFileNamesAreParsed(t *testing.T) {
	for name, want := range map[string]string{
		"marker.seal.000001.MANIFEST-000001.12.0000abcd": "MANIFEST-000001.12.0000abcd", "marker.seal.000002.": "",
		"marker.seal.000003": "none", "marker.manifest.000001.MANIFEST-000001": "none", "seal.000001.x": "none", "marker.seals.000001.x": "none",
	} {
		got, ok := markerValue(name, checksumMarker)
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]bool{
		"000001.log": true, "000001.sst": true, "000001.blob": true, "MANIFEST-000001": true,
		"OPTIONS-000001": false, "marker.manifest.000001.MANIFEST-000001": false, "LOCK": false, "000001.dbtmp": false,
	} {
		if got := isRemovedByManifest(name); got != want {
			t.Errorf("%s goes because of a manifest: %v", name, got)
		}
	}
	ages := []string{"", "MANIFEST-000001", "MANIFEST-000002", "MANIFEST-000010", "MANIFEST-999999", "MANIFEST-1000000"}
	for i, a := range ages {
		for j, b := range ages {
			if got := older(a, b); got != (i < j) {
				t.Errorf("%q is older than %q: %v", a, b, got)
			}
		}
	}
}

// endOf is how far a manifest of that text goes.
func endOf(text string) (e prefixSum) {
	e.add([]byte(text))
	return e
}

func TestRunningChecksum(t *testing.T) {
	e := endOf("some")
	e.add([]byte(" more"))
	if want := (prefixSum{9, crc32.ChecksumIEEE([]byte("some more"))}); e != want {
		t.Errorf("the end is %v, want %v", e, want)
	}
}

// seals returns the names of the markers of seals.
func seals(t *testing.T, fs vfs.FS) (found []string) {
	t.Helper()
	names, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if value, ok := strings.CutPrefix(name, "marker.seal."); ok {
			found = append(found, value)
		}
	}
	slices.Sort(found)
	return found
}

// TestChecksumMatchesManifestAfterPowerCut goes through the life of one, step by step.
func TestChecksumMatchesManifestAfterPowerCut(t *testing.T) {
	broken := false
	mem := vfs.NewMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken && op.Kind == errorfs.OpCreate {
			return errors.New("broken")
		}
		return nil
	}))
	if err := fs.MkdirAll("store", 0o700); err != nil {
		t.Fatal(err)
	}
	marker, _, err := atomicfs.LocateMarker(fs, "store", checksumMarker)
	if err != nil {
		t.Fatal(err)
	}
	const one, two = "MANIFEST-000001", "MANIFEST-000002"
	s := manifestChecksum{prefixes: map[string]prefixSum{}}
	named := func(manifest string) { s.fileCreated("marker.manifest.000001." + manifest) }
	var seen string // which was named when a sync of the folder began
	sealed := func(iteration int, manifest, text string) string {
		e := endOf(text)
		return fmt.Sprintf("%06d.%s.%d.%08x", iteration, manifest, e.length, e.sum)
	}
	for _, step := range []struct {
		what string
		do   func()
		want string // the seal that is there once it is pressed
		err  string
		ends int // how many manifests are known
	}{
		{what: "nothing", do: func() {}},
		{what: "the folder is not ours", do: func() {
			named(one)
			s.manifestSynced(one, endOf("a"))
			s.dirSynced(s.namedManifest())
			s.named, s.current = "", ""
		}, ends: 1},
		{what: "no manifest is made", do: func() { s.setMarker(marker) }, ends: 1},
		{what: "the manifest is not named", do: func() { s.manifestSynced(one, endOf("a")); s.dirSynced(s.namedManifest()) }, ends: 1},
		{what: "another marker is made", do: func() { s.fileCreated("marker.format-version.000001.9"); s.dirSynced(s.namedManifest()) }, ends: 1},
		{what: "it is named, and the folder is not synced since", do: func() { seen = s.namedManifest(); named(one); s.dirSynced(seen) }, ends: 1},
		{what: "the folder is synced", do: func() { s.dirSynced(s.namedManifest()) }, want: sealed(1, one, "a"), ends: 1},
		{what: "nothing is new", do: func() {}, want: sealed(1, one, "a"), ends: 1},
		{what: "more is synced", do: func() { s.manifestSynced(one, endOf("ab")) }, want: sealed(2, one, "ab"), ends: 1},
		{what: "the disk is broken", do: func() { s.manifestSynced(one, endOf("abc")); broken = true }, want: sealed(2, one, "ab"), err: "update the manifest checksum: broken", ends: 1},
		{what: "the disk is mended", do: func() { broken = false }, want: sealed(4, one, "abc"), ends: 1},
		{what: "another manifest is made", do: func() { s.manifestSynced(two, endOf("x")); s.dirSynced(s.namedManifest()) }, want: sealed(4, one, "abc"), ends: 2},
		{what: "the other is named", do: func() { named(two) }, want: sealed(4, one, "abc"), ends: 2},
		{what: "the folder is synced with the other", do: func() { s.dirSynced(s.namedManifest()) }, want: sealed(5, two, "x"), ends: 1},
	} {
		step.do()
		if err := s.update(); fmt.Sprint(err) != step.err && (err != nil || step.err != "") {
			t.Errorf("%s: press = %v, want %q", step.what, err, step.err)
		}
		want := []string{step.want}
		if step.want == "" {
			want = nil
		}
		if got := seals(t, mem); !slices.Equal(got, want) || len(s.prefixes) != step.ends {
			t.Errorf("%s: the folder has the seals %q, want %q; %d manifests are known, want %d", step.what, got, want, len(s.prefixes), step.ends)
		}
	}
	for range 2 {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	if s.manifestSynced(two, endOf("xyz")); s.update() != nil || len(seals(t, mem)) != 1 {
		t.Error("a seal that was closed moved")
	}
}

func TestChangedManifestIsRefused(t *testing.T) {
	const one, two = "MANIFEST-000001", "MANIFEST-000002"
	const damaged = ": the data is damaged; restore it from a backup"
	const noManifest = "the marker of the current manifest is missing" + damaged
	sealed := func(manifest, text string) string {
		e := endOf(text)
		return fmt.Sprintf("marker.seal.000001.%s.%d.%08x", manifest, e.length, e.sum)
	}
	names := func(manifest string) string { return "marker.manifest.000001." + manifest }
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{name: "an empty folder"},
		{name: "a new store", files: map[string]string{"LOCK": "", "000002.log": "", one: ""}},
		{name: "a format without a manifest", files: map[string]string{"marker.format-version.000001.9": ""}, want: noManifest},
		{name: "a seal without a manifest", files: map[string]string{sealed(one, "a"): "", one: "a"}, want: noManifest},
		{name: "a table without a manifest", files: map[string]string{"000005.sst": ""}, want: noManifest},
		{name: "as it was sealed", files: map[string]string{names(one): "", sealed(one, "some"): "", one: "some"}},
		{name: "longer than it was sealed", files: map[string]string{names(one): "", sealed(one, "some"): "", one: "some more"}},
		{name: "sealed when it was empty", files: map[string]string{names(one): "", sealed(one, ""): "", one: "some"}},
		{name: "shorter", files: map[string]string{names(one): "", sealed(one, "some"): "", one: "som"}, want: one + " is damaged" + damaged},
		{name: "zeroed", files: map[string]string{names(one): "", sealed(one, "some"): "", one: "\x00\x00\x00\x00"}, want: one + " is damaged" + damaged},
		{name: "longer by what reads as nothing", files: map[string]string{names(one): "", "marker.seal.000001.MANIFEST-000001.5.00000000": "", one: ""}, want: one + " is damaged" + damaged},
		{name: "gone", files: map[string]string{names(one): "", sealed(one, "some"): ""}, want: "open the manifest: file does not exist" + damaged},
		{name: "gone, without a seal", files: map[string]string{names(one): ""}, want: "open the manifest: file does not exist" + damaged},
		{name: "a seal of nothing that is known", files: map[string]string{names(one): "", "marker.seal.000001.MANIFEST-000001.x": "", one: "some"}, want: `its checksum marker has the invalid value "MANIFEST-000001.x"` + damaged},
		{name: "no seal", files: map[string]string{names(one): "", one: "some"}},
		{name: "sealed before the present one", files: map[string]string{names(two): "", sealed(one, "some"): "", two: "x"}},
		{name: "older than the one that is sealed", files: map[string]string{names(one): "", sealed(two, "some"): "", one: "x"}, want: "MANIFEST-000001 is older than the current manifest MANIFEST-000002" + damaged},
	} {
		files := map[string][]byte{}
		for name, text := range c.files {
			files[name] = []byte(text)
		}
		disk := newBelow(fileTree(t, files))
		_, err := checkManifest(disk, "store")
		if disk.open > 0 {
			t.Errorf("%s: %d files were left open", c.name, disk.open)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got = strings.Replace(got, "open store/"+one+": ", "", 1); got != c.want {
			t.Errorf("%s: checkManifest = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnreadableManifestIsNotDamaged(t *testing.T) {
	broken := errors.New("broken")
	e := endOf("some")
	tree := fileTree(t, map[string][]byte{
		"marker.manifest.000001.MANIFEST-000001": nil, "MANIFEST-000001": []byte("some"),
		fmt.Sprintf("marker.seal.000001.MANIFEST-000001.%d.%08x", e.length, e.sum): nil,
	})
	for kind, want := range map[errorfs.OpKind]string{
		errorfs.OpList: "broken", errorfs.OpFileRead: "read the manifest: broken", errorfs.OpOpen: "open the manifest: broken: " + errDamaged.Error(),
	} {
		fs := errorfs.Wrap(tree, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return broken
			}
			return nil
		}))
		if _, err := checkManifest(fs, "store"); fmt.Sprint(err) != want {
			t.Errorf("checkManifest, where %v fails, = %v; want %q", kind, err, want)
		}
	}
	if first, err := checkManifest(tree, "store"); first != 0 || err != nil {
		t.Errorf("checkManifest = %d, %v", first, err)
	}
}
