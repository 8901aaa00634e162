package main

import (
	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/atomicfile"
)

func (a *app) templateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "template OUT.xlsx",
		Short: "Write an empty workbook with the columns, validation and an explanation",
		Args:  oneArg("OUT.xlsx"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := atomicfile.Write(args[0], importer.WriteTemplate); err != nil {
				return err
			}
			a.printf("%s is ready to be filled in.\n", args[0])
			return nil
		},
	}
}
