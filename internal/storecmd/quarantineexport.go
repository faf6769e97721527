package storecmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"carillon/internal/command"
	"carillon/internal/engine/quarantine"
	"carillon/internal/terminal"
)

// quarantineExportOptions are the arguments and flags of quarantine export.
type quarantineExportOptions struct {
	quarantineOptions

	id, file string
}

func newQuarantineExport(std *terminal.Streams) *cobra.Command {
	o := &quarantineExportOptions{quarantineOptions: quarantineOptions{storeOptions: storeOptions{std: std}}}
	c := &cobra.Command{
		Use:   "export ID FILE",
		Short: "write the value of an entry to a file",
		Long:  "Writes the value of an entry in quarantine to a file, as the store has it.",
		Example: `  carillon quarantine export 3f2a91c07be44d18 job.bin --data-dir /var/lib/carillon/carillon
  carillon quarantine export 3f2a91c07be44d18 job.bin --etcd http://localhost:2379`,
		Args: command.Args("the ID of the entry", "the FILE to write"),
		RunE: func(c *cobra.Command, args []string) error {
			o.id, o.file = args[0], filepath.Clean(args[1])
			if err := o.check(c); err != nil {
				return err
			}
			return runQuarantineExport(c.Context(), o)
		},
	}
	o.addFlags(c)
	return c
}

// runQuarantineExport writes the value of the entry to the file.
func runQuarantineExport(ctx context.Context, o *quarantineExportOptions) error {
	return o.find(ctx, o.id, func(open jobStore, f quarantine.Finding) error {
		values, err := open.Get(ctx, f.Key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.file, values[0], 0o600); err != nil {
			return err
		}
		_, err = fmt.Fprintf(o.std.Out, "%s: export is done.\n", f)
		return err
	})
}
