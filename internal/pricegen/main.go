// Command pricegen derives the embedded price file from three open price tables. Its output depends on nothing but
// its input, so that a refresh is a readable diff:
//
//	go run ./internal/pricegen -genai <dir> -litellm <dir> -modelsdev <dir> -o accounting/prices.json
//
// genai-prices is the base: its entries are taken over as they are, with prices that have already been superseded left
// out. The other two add what it lacks: vendors and models, limits, capabilities, and prices of classes that an entry
// has none for, provided that both tables agree on the entry's input and output price.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddy-llm/llmgateway/accounting"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pricegen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("pricegen", flag.ContinueOnError)
	genai := flags.String("genai", "", "folder with genai-prices' data.json")
	litellm := flags.String("litellm", "", "folder with litellm's model_prices_and_context_window.json")
	modelsdev := flags.String("modelsdev", "", "folder with models.dev's api.json")
	genaiRev := flags.String("genai-rev", "47df840a", "revision of genai-prices")
	genaiDate := flags.String("genai-date", "2026-08-21", "day genai-prices was taken; prices that were over by then are left out")
	litellmRev := flags.String("litellm-rev", "", "revision of litellm")
	litellmDate := flags.String("litellm-date", "2026-08-01", "day litellm's table was taken")
	modelsdevRev := flags.String("modelsdev-rev", "f3fc6922", "revision of models.dev")
	modelsdevDate := flags.String("modelsdev-date", "2026-07-02", "day models.dev was taken")
	out := flags.String("o", "", "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}

	vendors, err := readGenai(filepath.Join(*genai, "data.json"), *genaiDate)
	if err != nil {
		return err
	}
	lite, err := readLitellm(filepath.Join(*litellm, "model_prices_and_context_window.json"))
	if err != nil {
		return err
	}
	dev, err := readModelsDev(filepath.Join(*modelsdev, "api.json"))
	if err != nil {
		return err
	}
	file := &accounting.File{
		Format: accounting.FileFormat,
		Date:   *genaiDate,
		Sources: []accounting.FileSource{
			{Name: "genai-prices", URL: "https://github.com/pydantic/genai-prices", Revision: *genaiRev, Date: *genaiDate, License: "MIT", Copyright: "Copyright (c) Pydantic Services Inc. 2025 to present"},
			{Name: "litellm", URL: "https://github.com/BerriAI/litellm", Revision: *litellmRev, Date: *litellmDate, License: "MIT", Copyright: "Copyright (c) 2023 Berri AI"},
			{Name: "models.dev", URL: "https://github.com/anomalyco/models.dev", Revision: *modelsdevRev, Date: *modelsdevDate, License: "MIT", Copyright: "Copyright (c) 2025 models.dev"},
		},
		Vendors: merge(vendors, dev, lite),
	}
	var b bytes.Buffer
	if err := write(&b, file); err != nil {
		return err
	}
	book, err := accounting.ParseBook(b.Bytes())
	if err != nil {
		return fmt.Errorf("the result is not a valid price file: %w", err)
	}
	if err := os.WriteFile(*out, b.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d vendors, version %s\n", *out, b.Len(), len(file.Vendors), book.Version())
	return nil
}
