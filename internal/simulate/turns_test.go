package simulate_test

// maxTurns is how many turns of its loop a call may wait to be committed, whatever else there is to
// do. What one user asks for at once, such as the deletion of all jobs of an app, may be some
// dozens of commands.
const maxTurns = 64

// checkTurns holds that outcomes do not keep a call from its turn.
func checkTurns(s *story, find func(key, format string, args ...any)) {
	for _, l := range s.lives {
		if l.died.turns > maxTurns {
			find("", "a command of node %d has waited for up to %v turns, want %d at most", l.began.life, l.died.turns, maxTurns)
		}
	}
}
