package bench

import "time"

// steps returns all measures, in the order in which they are taken.
func steps() []step {
	return []step{
		{[]int{1, 2}, "schedule", (*bench).schedule, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(3*s.Rounds+1)*(s.Window+warmUp)
		}},
		{[]int{3}, "one caller alone", (*bench).alone, func(s Sizes) time.Duration {
			return time.Second + time.Duration(5*s.Calls*s.Rounds)*time.Millisecond
		}},
		{[]int{4}, "burst", (*bench).burst, func(s Sizes) time.Duration {
			return time.Second + time.Duration(s.Rounds)*(4*time.Second+time.Duration(s.Burst)*100*time.Microsecond)
		}},
		{[]int{10}, "get", (*bench).get, func(s Sizes) time.Duration {
			return 2*time.Second + time.Duration(2*s.Rounds+1)*(s.Window+warmUp)
		}},
	}
}
