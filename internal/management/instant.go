package management

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// instant returns t for a person, in UTC.
func instant(t time.Time) string { return t.In(time.UTC).Format(time.RFC3339Nano) }

// timestamp returns t, or nil if it is zero. A protobuf timestamp ends with the year 9999; what is
// later is shown as its last instant.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	ts := timestamppb.New(t)
	if !ts.IsValid() {
		return timestamppb.New(time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC))
	}
	return ts
}
