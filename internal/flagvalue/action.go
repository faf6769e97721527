package flagvalue

import "strconv"

// Action is the value of a flag that selects something else than running. It cannot be set by an
// environment variable.
type Action bool

func (a *Action) String() string { return strconv.FormatBool(bool(*a)) }

// Set sets a to what value means.
func (a *Action) Set(value string) error {
	on, err := strconv.ParseBool(value)
	*a = Action(on)
	return err
}

// IsBoolFlag allows the flag without a value.
func (*Action) IsBoolFlag() bool { return true }
