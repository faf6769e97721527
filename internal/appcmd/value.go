package appcmd

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "carillon/internal/managementv1"
	"carillon/internal/terminal"
)

// timeOf returns t, or the zero time if it is absent.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// overdueText returns a count, with a plus sign if there may be more.
func overdueText(o *pb.OverdueJobs) string {
	if o.GetExact() {
		return fmt.Sprint(o.GetCount())
	}
	return fmt.Sprintf("%d+", o.GetCount())
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// sizeText returns a number of bytes in the largest unit that it fills; nothing for 0.
func sizeText(bytes uint64) string {
	const units = "KMGTPE"
	if bytes == 0 {
		return ""
	}
	size, unit := float64(bytes), -1
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit < 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}

// durationText returns a duration with three digits or so; nothing for 0.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	unit := time.Microsecond
	for unit < time.Second && d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

// warnUnreachable says on standard error which nodes do not answer.
func warnUnreachable(s *terminal.Streams, nodes []string) error {
	if len(nodes) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.Err, "warning: no answer from the node %s: what is connected to it, and what is overdue there, is unknown\n", strings.Join(nodes, ", "))
	return err
}
