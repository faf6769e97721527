package record

import (
	"testing"
	"time"
)

func TestNumbersTooLargeForARecordAreErrors(t *testing.T) {
	at := time.Unix(1000, 0).UTC()
	build := func(settled, attempts uint64) []byte {
		e := encoder{stateVersion}
		e.uint(settled)
		e.instant(at, false)
		e.uint(attempts)
		e.instant(at, false)
		if attempts > 0 {
			e.instant(at, false)
		}
		return e
	}
	const most = 1<<32 - 1
	for _, c := range []struct {
		settled, attempts uint64
		ok                bool
	}{{0, 0, true}, {most, 0, true}, {most + 1, 0, false}, {1, most, true}, {1, most + 1, false}} {
		s, err := DecodeState(recordKey, build(c.settled, c.attempts))
		if (err == nil) != c.ok || c.ok && (s.Settled != uint32(c.settled) || s.Attempts != uint32(c.attempts)) {
			t.Errorf("%+v is read as %+v, %v", c, s, err)
		}
	}
	if _, err := DecodeState(recordKey, append(build(1, 1), 0)); err == nil {
		t.Error("a state with a byte more is read")
	}
	for flags, ok := range map[uint64]bool{policyDefault: true, specFlags: false, specFlags | policyDefault: false} {
		e := encoder{specVersion}
		e.uint(flags)
		e.instant(at, false)
		if _, err := DecodeSpec(recordKey, e); (err == nil) != ok {
			t.Errorf("a spec with the flags %b is read: %v", flags, err)
		}
		e = append(e, 0)
		if _, err := DecodeSpec(recordKey, e); err == nil {
			t.Errorf("a spec with the flags %b and a byte more is read", flags)
		}
	}
}
