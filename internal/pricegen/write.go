package main

import (
	"bytes"
	"encoding/json"

	"github.com/caddy-llm/llmgateway/accounting"
)

// write writes a price file with one model per line.
func write(b *bytes.Buffer, f *accounting.File) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	line := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
		return nil
	}
	b.WriteString("{\"format\":")
	if err := line(f.Format); err != nil {
		return err
	}
	b.WriteString(",\"date\":")
	if err := line(f.Date); err != nil {
		return err
	}
	b.WriteString(",\n\"sources\":[")
	for i := range f.Sources {
		b.WriteString(separator(i))
		if err := line(f.Sources[i]); err != nil {
			return err
		}
	}
	b.WriteString("\n],\n\"vendors\":[")
	for i := range f.Vendors {
		v := f.Vendors[i]
		models := v.Models
		v.Models = []accounting.FileModel{}
		b.WriteString(separator(i))
		if err := line(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - len("]}"))
		for j := range models {
			b.WriteString(separator(j))
			if err := line(models[j]); err != nil {
				return err
			}
		}
		b.WriteString("\n]}")
	}
	b.WriteString("\n]}\n")
	return nil
}

// separator is what stands before the i-th element of a list.
func separator(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}
