package management

import (
	"cmp"
	"slices"
	"time"

	"carillon/internal/explain"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// defaultOccurrences is how many occurrences an explanation has if the request does not say it.
const defaultOccurrences = 10

// scheduleOf returns the schedule of a job.
func scheduleOf(s *job.Spec) explain.Schedule {
	return explain.Schedule{Plan: s.Plan, HasDueTime: s.Words.DueTime != nil}
}

// occurrences returns the occurrences of a schedule, as [explain.Schedule.Upcoming] does. count is
// that of the request.
func occurrences(s explain.Schedule, settled uint32, last time.Time, count int32) (all []*pb.Occurrence) {
	for _, o := range s.Upcoming(settled, last, int(cmp.Or(count, defaultOccurrences))) {
		m := &pb.Occurrence{OccurrenceTime: timestamp(o.Due), LocalTime: o.Local.Format(time.RFC3339Nano)}
		for _, n := range o.Notes {
			m.Notes = append(m.Notes, &pb.ClockNote{Code: string(n.Kind), Message: n.Sentence})
		}
		all = append(all, m)
	}
	return all
}

// warnings returns the warnings about a schedule as of now.
func warnings(s explain.Schedule, now time.Time) (all []*pb.ScheduleWarning) {
	for _, w := range s.Warnings(now) {
		all = append(all, &pb.ScheduleWarning{Code: string(w.Code), Message: w.Sentence})
	}
	return all
}

// requestWarnings returns the warnings about a schedule that is requested now: those about its texts
// come first.
func requestWarnings(s *job.Spec, now time.Time) (all []*pb.ScheduleWarning) {
	texts := s.Words.TextWarnings()
	for _, w := range texts {
		code := "text-ignored"
		if w.Empty {
			code = "text-without-meaning"
		}
		all = append(all, &pb.ScheduleWarning{Code: code, Message: w.String()})
	}
	for _, w := range warnings(scheduleOf(s), now) {
		if w.GetCode() == string(explain.EndsBeforeFirst) && slices.ContainsFunc(texts, when.Warning.EmptiesTTL) {
			continue // the warning about the text says so
		}
		all = append(all, w)
	}
	return all
}
