package flagvalue

import (
	"errors"
	"strconv"
)

// Port is the value of a flag with a TCP port.
type Port int

// NewPort returns the value of a flag that sets p, which is number until then.
func NewPort(p *int, number int) *Port {
	*p = number
	return (*Port)(p)
}

func (p *Port) String() string { return strconv.Itoa(int(*p)) }

// Set parses value.
func (p *Port) Set(value string) error {
	n, err := ParsePort(value)
	if err == nil {
		*p = Port(n)
	}
	return err
}

// Type is the placeholder of the value in help.
func (*Port) Type() string { return "port" }

// ParsePort parses a port number.
func ParsePort(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0, errors.New("a port must be a number from 0 to 65535")
	}
	return int(n), nil
}
