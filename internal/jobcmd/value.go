package jobcmd

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "carillon/internal/managementv1"
)

// timeOf returns t, or the zero time if it is absent.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// leftOf returns how many occurrences are left, or nothing if they are not limited in number.
func leftOf(j *pb.Job) string {
	if j.RemainingCount == nil {
		return ""
	}
	return strconv.FormatUint(uint64(j.GetRemainingCount()), 10)
}

// labelsOf returns the labels as KEY=VALUE, in order.
func labelsOf(j *pb.Job) []string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(j.GetLabels())) {
		all = append(all, k+"="+j.GetLabels()[k])
	}
	return all
}

// wordOf returns a state in lower case.
func wordOf(s pb.Job_State) string { return strings.ToLower(s.String()) }
