package fakellm

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// defaultDimensions is the length of embeddings that nobody asked to be longer. Small, because nothing is learned
// from more.
const defaultDimensions = 8

// maxDimensions bounds what a request can make the server write.
const maxDimensions = 4096

// embedInputs are the texts to embed and how the vectors are wanted.
type embedInputs struct {
	texts      []string
	dimensions int
	base64     bool
}

// embedInputs reads the texts of an embeddings request, and counts them.
func (q *Request) embedInputs(doc gjson.Result) embedInputs {
	q.textBytes = 0
	in := embedInputs{base64: doc.Get("encoding_format").String() == "base64"}
	dimensions := doc.Get("dimensions")
	add := func(text string) {
		in.texts = append(in.texts, text)
		q.textBytes += len(text)
	}
	switch {
	case q.kind == kindBatchEmbed:
		doc.Get("requests").ForEach(func(_, r gjson.Result) bool {
			dimensions = r.Get("outputDimensionality")
			add(r.Get("content.parts.0.text").String())
			return true
		})
	case q.Dialect == Gemini:
		dimensions = doc.Get("outputDimensionality")
		add(doc.Get("content.parts.0.text").String())
	case doc.Get("input").IsArray() && doc.Get("input.0").Type != gjson.Number:
		doc.Get("input").ForEach(func(_, t gjson.Result) bool {
			add(t.String())
			return true
		})
	default: // a text, or its tokens
		add(doc.Get("input").String())
	}
	in.dimensions = int(min(max(dimensions.Int(), 0), maxDimensions))
	if in.dimensions == 0 {
		in.dimensions = defaultDimensions
	}
	return in
}

// vector is a unit vector made of the text's hash.
func vector(text string, dimensions int) []float32 {
	v := make([]float32, dimensions)
	seed, sum := hash(text), 0.0
	for i := range v {
		seed = seed*6364136223846793005 + 1442695040888963407
		x := float64(seed>>40)/(1<<23) - 1
		v[i] = float32(x)
		sum += x * x
	}
	if norm := float32(math.Sqrt(sum)); norm > 0 {
		for i := range v {
			v[i] /= norm
		}
	}
	return v
}

func appendVector(dst []byte, v []float32) []byte {
	dst = append(dst, '[')
	for i, x := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(x), 'g', 7, 32)
	}
	return append(dst, ']')
}

func appendBase64(dst []byte, v []float32) []byte {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), raw), '"')
}

func renderEmbeddings(q *Request) *rendered {
	in := q.embedInputs(gjson.ParseBytes(q.Body))
	if q.Dialect == Gemini {
		return renderGeminiEmbeddings(q, in)
	}
	dst := []byte(`{"object":"list","data":[`)
	for i, text := range in.texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendInt(append(dst, `{"object":"embedding","index":`...), i)
		dst = append(dst, `,"embedding":`...)
		if v := vector(text, in.dimensions); in.base64 {
			dst = appendBase64(dst, v)
		} else {
			dst = appendVector(dst, v)
		}
		dst = append(dst, '}')
	}
	dst = jsonedit.AppendString(append(dst, `],"model":`...), q.Model)
	dst = appendInt(append(dst, `,"usage":{"prompt_tokens":`...), q.InputTokens)
	dst = appendInt(append(dst, `,"total_tokens":`...), q.InputTokens)
	return unary(200, append(dst, "}}"...), 0)
}

func renderGeminiEmbeddings(q *Request, in embedInputs) *rendered {
	dst := []byte(`{"embeddings":[`)
	if q.kind == kindEmbed {
		dst = []byte(`{"embedding":`)
	}
	for i, text := range in.texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendVector(append(dst, `{"values":`...), vector(text, in.dimensions)), '}')
	}
	if q.kind == kindBatchEmbed {
		dst = append(dst, ']')
	}
	return unary(200, append(dst, '}'), 0)
}

func renderCount(q *Request) *rendered {
	name := `{"input_tokens":`
	if q.Dialect == Gemini {
		name = `{"totalTokens":`
	}
	return unary(200, append(appendInt([]byte(name), q.InputTokens), '}'), 0)
}

func renderModels(q *Request, models []string) *rendered {
	head, tail := `{"object":"list","data":[`, `]}`
	switch q.Dialect {
	case Messages:
		head, tail = `{"data":[`, `],"has_more":false}`
	case Gemini:
		head = `{"models":[`
	}
	dst := []byte(head)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch q.Dialect {
		case Messages:
			dst = jsonedit.AppendString(append(dst, `{"type":"model","id":`...), m)
			dst = jsonedit.AppendString(append(dst, `,"display_name":`...), m)
			dst = append(dst, `,"created_at":"2026-01-01T00:00:00Z"}`...)
		case Gemini:
			dst = jsonedit.AppendString(append(dst, `{"name":`...), "models/"+m)
			dst = append(dst, `,"supportedGenerationMethods":["generateContent","countTokens"]}`...)
		default:
			dst = jsonedit.AppendString(append(dst, `{"id":`...), m)
			dst = appendInt(append(dst, `,"object":"model","created":`...), created)
			dst = append(dst, `,"owned_by":"simulated"}`...)
		}
	}
	return unary(200, append(dst, tail...), 0)
}
