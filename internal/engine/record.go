package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

// Every record begins with the version of its format. A reader knows all versions that ever were; testdata keeps one
// record of each for ever.
const (
	specVersion  = 1
	stateVersion = 1

	// The same with wide instants, for the jobs that need them.
	wideSpecVersion  = 3
	wideStateVersion = 2
)

var errRecord = errors.New("malformed record")

// What of a Spec is present, and the two policies that need no more than a bit.
const (
	hasSchedule = 1 << iota
	hasRepeats
	hasDueTime
	hasTTL
	hasUntil
	hasData
	hasAppID
	hasConcurrencyKey
	hasInterval
	hasMaxRetries
	policyDrop
	policyDefault
	specFlags
)

// encodeSpec returns the record of k's spec. What k says already is not written again.
func encodeSpec(k job.Key, s *job.Spec) []byte {
	flags := uint64(0)
	set := func(present bool, flag uint64) bool {
		if present {
			flags |= flag
		}
		return present
	}
	set(s.Words.Schedule != nil, hasSchedule)
	set(s.Words.Repeats != nil, hasRepeats)
	set(s.Words.DueTime != nil, hasDueTime)
	set(s.Words.TTL != nil, hasTTL)
	set(!s.Plan.Until.IsZero(), hasUntil)
	set(s.Data != nil, hasData)
	set(s.AppID != ownAppID(k), hasAppID)
	set(s.ConcurrencyKey != nil, hasConcurrencyKey)
	if !set(s.Policy.Equal(job.DefaultPolicy()), policyDefault) {
		set(s.Policy.Drop, policyDrop)
		set(s.Policy.Interval != nil, hasInterval)
		set(s.Policy.MaxRetries != nil, hasMaxRetries)
	}

	size := 64 + len(s.AppID)
	if s.Data != nil {
		size += len(s.Data.TypeURL) + len(s.Data.Value)
	}
	e := encoder(make([]byte, 0, size))
	wide := FormatOf(s) > 1
	if wide {
		e = append(e, wideSpecVersion)
	} else {
		e = append(e, specVersion)
	}
	e.uint(flags)
	e.instant(s.Plan.First, wide)
	if flags&hasSchedule != 0 {
		e.string(*s.Words.Schedule)
	}
	if flags&hasRepeats != 0 {
		e.uint(uint64(*s.Words.Repeats))
	}
	if flags&hasDueTime != 0 {
		e.string(*s.Words.DueTime)
	}
	if flags&hasTTL != 0 {
		e.string(*s.Words.TTL)
	}
	if flags&hasUntil != 0 {
		e.instant(s.Plan.Until, wide)
	}
	if flags&hasAppID != 0 {
		e.string(s.AppID)
	}
	if flags&hasConcurrencyKey != 0 {
		e.string(*s.ConcurrencyKey)
	}
	if flags&hasInterval != 0 {
		e.int(int64(*s.Policy.Interval))
	}
	if flags&hasMaxRetries != 0 {
		e.uint(uint64(*s.Policy.MaxRetries))
	}
	if flags&hasData != 0 {
		e.string(s.Data.TypeURL)
		e = append(e, s.Data.Value...) // to the end of the record
	}
	return e
}

// decodeSpec is the inverse of encodeSpec. The result shares no memory with b.
func decodeSpec(k job.Key, b []byte) (*job.Spec, error) {
	d, wide := decoder{rest: b}, false
	switch version := d.byte(); version {
	case specVersion:
	case wideSpecVersion:
		wide = true
	case sealedVersion:
		return nil, fmt.Errorf("spec of %s: %w: it is sealed, and does not open: it is damaged, or its key is gone", k, errRecord)
	default:
		return nil, fmt.Errorf("spec of %s: %w: its format %d is not known here", k, errRecord, version)
	}
	flags := d.uint()
	if flags >= specFlags {
		d.failed = true
	}
	s := &job.Spec{AppID: ownAppID(k)}
	s.Plan.First = d.instant(wide)
	if flags&hasSchedule != 0 {
		s.Words.Schedule = new(d.string())
	}
	if flags&hasRepeats != 0 {
		s.Words.Repeats = new(d.uint32())
		s.Plan.Repeats = *s.Words.Repeats
	}
	if flags&hasDueTime != 0 {
		s.Words.DueTime = new(d.string())
	}
	if flags&hasTTL != 0 {
		s.Words.TTL = new(d.string())
	}
	if flags&hasUntil != 0 {
		s.Plan.Until = d.instant(wide)
	}
	if flags&hasAppID != 0 {
		s.AppID = d.string()
	}
	if flags&hasConcurrencyKey != 0 {
		s.ConcurrencyKey = new(d.string())
	}
	switch {
	case flags&policyDefault != 0:
		s.Policy = job.DefaultPolicy()
	default:
		s.Policy.Drop = flags&policyDrop != 0
		if flags&hasInterval != 0 {
			s.Policy.Interval = new(time.Duration(d.int()))
		}
		if flags&hasMaxRetries != 0 {
			s.Policy.MaxRetries = new(d.uint32())
		}
	}
	if flags&hasData != 0 {
		s.Data = &job.Data{TypeURL: d.string()}
		s.Data.Value = append([]byte{}, d.rest...)
		d.rest = nil
	}
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("spec of %s: %w", k, errRecord)
	}
	if s.Words.Schedule != nil {
		rule, err := when.ParseRule(*s.Words.Schedule)
		if err != nil {
			return nil, fmt.Errorf("spec of %s: %w", k, err)
		}
		s.Plan.Rule = rule
	}
	return s, nil
}

func ownAppID(k job.Key) string {
	if k.Target.Kind == job.App {
		return k.Target.Name
	}
	return ""
}

// A State is how far a job has got. A job that has not moved yet has no record of one.
type State struct {
	// Settled counts the occurrences that are over, handled or given up. It stays at its maximum.
	Settled uint32
	// Last is the due instant of the occurrence settled last.
	Last time.Time
	// Attempts counts the failed attempts at the present occurrence. It stays at its maximum.
	Attempts uint32
	// Occurrence is the due instant of the present occurrence, if Attempts is not zero; otherwise Due says it.
	Occurrence time.Time
	// Due is where the job stands in the due index: when its next attempt is owed.
	Due time.Time
}

func encodeState(s State) []byte {
	e, wide := encoder{stateVersion}, false
	if !narrow(s.Last) || !narrow(s.Due) || !narrow(s.Occurrence) {
		e, wide = encoder{wideStateVersion}, true
	}
	e.uint(uint64(s.Settled))
	e.instant(s.Last, wide)
	e.uint(uint64(s.Attempts))
	e.instant(s.Due, wide)
	if s.Attempts > 0 {
		e.instant(s.Occurrence, wide)
	}
	return e
}

func decodeState(k job.Key, b []byte) (State, error) {
	d := decoder{rest: b}
	version := d.byte()
	if version != stateVersion && version != wideStateVersion {
		return State{}, fmt.Errorf("state of %s: %w: its format %d is not known here", k, errRecord, version)
	}
	wide := version == wideStateVersion
	s := State{Settled: d.uint32(), Last: d.instant(wide), Attempts: d.uint32(), Due: d.instant(wide)}
	if s.Attempts > 0 {
		s.Occurrence = d.instant(wide)
	}
	if d.failed || len(d.rest) > 0 {
		return State{}, fmt.Errorf("state of %s: %w", k, errRecord)
	}
	return s, nil
}

// decodeRecord puts together what a store holds about k; either may be nil.
func decodeRecord(k job.Key, spec, state []byte) record {
	if spec == nil {
		return record{}
	}
	s, err := decodeSpec(k, spec)
	if err != nil {
		return record{broken: err}
	}
	r := record{spec: s}
	if state != nil {
		r.moved = true
		if r.state, err = decodeState(k, state); err != nil {
			return record{broken: err}
		}
	}
	return r
}

// An encoder appends the parts of a record.
type encoder []byte

func (e *encoder) uint(v uint64) { *e = binary.AppendUvarint(*e, v) }
func (e *encoder) int(v int64)   { *e = binary.AppendVarint(*e, v) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

// A decoder takes a record apart from its front. After a failure everything it returns is empty.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) byte() byte {
	b := d.bytes(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (d *decoder) bytes(n uint64) []byte {
	if d.failed || uint64(len(d.rest)) < n {
		d.failed, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	d.failed = d.failed || v > math.MaxUint32
	return uint32(v)
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes(d.uint())) }
