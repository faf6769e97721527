package record

import (
	"fmt"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

const (
	specVersion     = 1
	wideSpecVersion = 3 // with wide instants, for the specs that need them
	extSpecVersion  = 4 // with wide instants and an ext, for the specs that have one
)

// Flags of a spec: which fields are present, and the two policies that are encoded as one bit each.
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
	hasLabels      // from extSpecVersion on
	hasDescription // from extSpecVersion on
	specFlags
)

// EncodeSpec returns the record of s, which is the spec of k. It leaves out what k implies.
func EncodeSpec(k job.Key, s *job.Spec) []byte {
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
	set(s.AppID != impliedAppID(k), hasAppID)
	set(s.ConcurrencyKey != nil, hasConcurrencyKey)
	if !set(s.Policy.Equal(job.DefaultPolicy()), policyDefault) {
		set(s.Policy.Drop, policyDrop)
		set(s.Policy.Interval != nil, hasInterval)
		set(s.Policy.MaxRetries != nil, hasMaxRetries)
	}

	size := 64 + len(s.AppID)
	if s.Ext != nil {
		set(len(s.Ext.Labels) > 0, hasLabels)
		set(s.Ext.Description != "", hasDescription)
		size += s.Ext.Size() + 2*len(s.Ext.Labels)
	}
	if s.Data != nil {
		size += len(s.Data.TypeURL) + len(s.Data.Value)
	}
	e := encoder(make([]byte, 0, size))
	format := FormatOf(s)
	wide := format > 1
	switch format {
	case 1:
		e = append(e, specVersion)
	case 2:
		e = append(e, wideSpecVersion)
	default:
		e = append(e, extSpecVersion)
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
	if flags&hasLabels != 0 {
		e.labels(s.Ext.Labels)
	}
	if flags&hasDescription != 0 {
		e.string(s.Ext.Description)
	}
	if flags&hasData != 0 {
		e.string(s.Data.TypeURL)
		e = append(e, s.Data.Value...) // to the end of the record
	}
	return e
}

// DecodeSpec is the inverse of EncodeSpec. The result shares no memory with b.
func DecodeSpec(k job.Key, b []byte) (*job.Spec, error) {
	d, wide, known := decoder{rest: b}, false, uint64(hasLabels)
	switch version := d.byte(); version {
	case specVersion:
	case wideSpecVersion:
		wide = true
	case extSpecVersion:
		wide, known = true, specFlags
	case sealedSpecVersion:
		return nil, fmt.Errorf("spec of %s: %w: it is sealed, and does not open: it is damaged, or its key is gone", k, ErrMalformed)
	default:
		return nil, fmt.Errorf("spec of %s: %w: its format %d is not known here", k, ErrMalformed, version)
	}
	flags := d.uint()
	if flags >= known {
		d.failed = true
	}
	s := &job.Spec{AppID: impliedAppID(k)}
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
	if flags&(hasLabels|hasDescription) != 0 {
		s.Ext = new(job.Ext)
	}
	if flags&hasLabels != 0 {
		s.Ext.Labels = d.labels()
	}
	if flags&hasDescription != 0 {
		s.Ext.Description = d.string()
		d.failed = d.failed || s.Ext.Description == ""
	}
	if flags&hasData != 0 {
		s.Data = &job.Data{TypeURL: d.string()}
		s.Data.Value = append([]byte{}, d.rest...)
		d.rest = nil
	}
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("spec of %s: %w", k, ErrMalformed)
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

// impliedAppID returns the app that scheduled k unless the spec names another one.
func impliedAppID(k job.Key) string {
	if k.Target.Kind == job.App {
		return k.Target.Name
	}
	return ""
}
