package jobcmd

import (
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

// wordOf returns a state in lower case.
func wordOf(s pb.Job_State) string { return strings.ToLower(s.String()) }
