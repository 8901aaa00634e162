package main

import (
	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/atomicfile"
)

func (a *app) templateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "template OUT.xlsx",
		Short:             "Write an empty workbook with the columns, validation and an explanation",
		Example:           "  bascule template certificates.xlsx",
		Args:              oneArg("OUT.xlsx"),
		ValidArgsFunction: completeFiles("xlsx"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.checkOutput(args[0], importer.TemplateKind, false); err != nil {
				return err
			}
			if err := atomicfile.WriteSealed(args[0], importer.TemplateKind, importer.WriteTemplate); err != nil {
				return err
			}
			a.printf("%s is ready to be filled in.\n", args[0])
			return nil
		},
	}
	a.addForceTo(cmd)
	return cmd
}
