package storemeta

// An UnusableError says why an engine cannot use a store until an operator changes something. All
// other errors of the checks are of a store that does not answer.
type UnusableError struct{ text string }

func (e *UnusableError) Error() string { return e.text }
