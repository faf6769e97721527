package simulate_test

// checkSilent holds that when somebody has heard that a job was deleted, or replaced, no trigger of
// what was there before leaves any more.
func checkSilent(s *story, find func(key, format string, args ...any)) {
	for _, v := range s.versions {
		for _, c := range s.calls {
			if c == v.call || c.heard.result != done || v.until > c.seq || !c.mayEnd(v.key) && (c.op != schedule || c.key != v.key) {
				continue
			}
			for _, d := range v.deliveries {
				if d.seq > c.heard.seq {
					find(v.key, "v%d is delivered at %v, and %s heard at %v that its call #%d (%s) was done",
						v.number(), d.at, c.who, c.heard.at, c.call, c.op)
					break
				}
			}
		}
	}
}
