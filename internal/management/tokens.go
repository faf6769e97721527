package management

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// minToken is how many characters a token has at least.
const minToken = 16

// maxTokenFile is how many bytes a token file may have.
const maxTokenFile = 1 << 20

// recheck is how often the token file is looked at, at most.
const recheck = time.Second

var (
	errNoToken = withDetails(codes.Unauthenticated, "NO_TOKEN", "the management API needs a token: send the header Authorization: Bearer TOKEN", nil)
	errToken   = withDetails(codes.Unauthenticated, "UNKNOWN_TOKEN", "the token is not one of the token file", nil)
)

// verbsOf returns the verbs of a role.
func verbsOf(r role) map[verb]bool {
	all := map[verb]bool{}
	for v, first := range verbs() {
		if first <= r {
			all[v] = true
		}
	}
	return all
}

// Tokens are the callers of a token file. The file is read again when it changes; one that cannot
// be used changes nothing, and is an error in the log. It is safe for concurrent use.
type Tokens struct {
	path string

	mu      sync.Mutex // guards the fields below
	entries []tokenEntry
	checked time.Time
	read    fs.FileInfo // of what entries are from
}

// A tokenEntry is a line of a token file.
type tokenEntry struct {
	hash   [sha256.Size]byte
	caller *principal
}

// OpenTokens reads a token file. Each line has a name, a token, what it may do, and optionally
// namespaces=A,B and apps=A,B. The token is written as it is, or as sha256: and its hash in
// hexadecimal. What it may do is viewer, operator, admin, or verbs with commas between them.
func OpenTokens(path string) (*Tokens, error) {
	t := &Tokens{path: path}
	if err := t.load(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tokens) load() error {
	info, err := os.Stat(t.path)
	if err != nil {
		return fmt.Errorf("read the token file: %w", err)
	}
	if info.Size() > maxTokenFile {
		return fmt.Errorf("the token file %s has %d bytes: it may have %d", t.path, info.Size(), maxTokenFile)
	}
	text, err := os.ReadFile(t.path)
	if err != nil {
		return fmt.Errorf("read the token file: %w", err)
	}
	entries, err := parseTokens(string(text))
	if err != nil {
		return fmt.Errorf("the token file %s: %w", t.path, err)
	}
	t.entries, t.read = entries, info
	return nil
}

// parseTokens parses the text of a token file. Its errors show no token.
func parseTokens(text string) (entries []tokenEntry, err error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxTokenFile+1)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %d has %d fields: it needs a name, a token, and a role or verbs", n, len(fields))
		}
		e := tokenEntry{caller: &principal{name: fields[0]}}
		if e.hash, err = hashOf(fields[1]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, other := range entries {
			if other.hash == e.hash {
				return nil, fmt.Errorf("line %d has the token of %s: give each its own", n, other.caller.name)
			}
		}
		if e.caller.verbs, err = parseVerbs(fields[2]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, f := range fields[3:] {
			key, value, _ := strings.Cut(f, "=")
			names := strings.Split(value, ",")
			switch {
			case value == "":
				return nil, fmt.Errorf("line %d: %q has no value", n, f)
			case key == "namespaces" && e.caller.namespaces == nil:
				e.caller.namespaces = names
			case key == "apps" && e.caller.apps == nil:
				e.caller.apps = names
			default:
				return nil, fmt.Errorf("line %d: %q is not known, or given twice: use namespaces= and apps=", n, key)
			}
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("it has no token")
	}
	return entries, nil
}

// hashOf returns the hash of a token as a file has it.
func hashOf(field string) (hash [sha256.Size]byte, err error) {
	if digits, ok := strings.CutPrefix(field, "sha256:"); ok {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != sha256.Size {
			return hash, errors.New("what follows sha256: is not a hash of 64 hexadecimal digits")
		}
		return [sha256.Size]byte(b), nil
	}
	if len(field) < minToken {
		return hash, fmt.Errorf("the token has %d characters: use %d or more", len(field), minToken)
	}
	return sha256.Sum256([]byte(field)), nil
}

// parseVerbs parses a role, or verbs with commas between them.
func parseVerbs(text string) (map[verb]bool, error) {
	if r, ok := roles()[text]; ok {
		return verbsOf(r), nil
	}
	some := map[verb]bool{}
	for name := range strings.SplitSeq(text, ",") {
		if _, ok := verbs()[verb(name)]; !ok {
			return nil, fmt.Errorf("%q is neither viewer, operator or admin nor a verb: verbs are %s", name, verbNames())
		}
		some[verb(name)] = true
	}
	return some, nil
}

// admit returns the caller with the token of an Authorization header.
func (t *Tokens) admit(ctx context.Context, header string, log *slog.Logger) (*principal, error) {
	if t == nil {
		return &principal{verbs: verbsOf(admin)}, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errNoToken
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	var found *principal
	for _, e := range t.current(ctx, log) { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(e.hash[:], hash[:]) == 1 {
			found = e.caller
		}
	}
	if found == nil {
		return nil, errToken
	}
	return found, nil
}

// current returns the entries, read again if the file has changed.
func (t *Tokens) current(ctx context.Context, log *slog.Logger) []tokenEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.checked) >= recheck {
		t.checked = now
		info, err := os.Stat(t.path)
		if err != nil || info.ModTime() != t.read.ModTime() || info.Size() != t.read.Size() || !os.SameFile(info, t.read) {
			if err := t.load(); err != nil {
				log.LogAttrs(ctx, slog.LevelError, "the token file cannot be used; the last one stays in force", slog.Any("err", err))
			}
		}
	}
	return t.entries
}
