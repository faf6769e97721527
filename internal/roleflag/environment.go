package roleflag

import (
	"flag"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/terminal"
)

// fromEnvironment sets the flags that the command line left out.
func fromEnvironment(fs *flag.FlagSet, s *terminal.Streams) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		if _, ok := f.Value.(*flagvalue.Action); ok || given[f.Name] || err != nil {
			return
		}
		name, value, ok := flagvalue.FromEnvironment(f.Name, s.Env)
		if !ok {
			return
		}
		if bad := fs.Set(f.Name, value); bad != nil {
			why := bad.Error()
			if why == parseError {
				why = formOf(f)
			}
			err = exit.Usagef("invalid value %q for environment variable %s: %s", value, name, why)
		}
	})
	return err
}
