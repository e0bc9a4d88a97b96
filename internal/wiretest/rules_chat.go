package wiretest

import (
	"slices"
	"strings"
)

// chatKeys are the members that OpenAI or one of the vendors with a compatible API knows.
const chatKeys = `model messages stream stream_options tools tool_choice parallel_tool_calls functions function_call max_tokens
	max_completion_tokens temperature top_p top_k min_p frequency_penalty presence_penalty repetition_penalty seed stop n logprobs
	top_logprobs logit_bias response_format reasoning_effort reasoning thinking reasoning_format include_reasoning user
	safety_identifier service_tier prompt_cache_key prompt_cache_retention prompt_cache_options metadata store modalities audio
	prediction verbosity web_search_options moderation provider models transforms preset plugins clear_thinking usage extra_body
	chat_template_kwargs enable_thinking`

const mistralKeys = `model messages stream tools tool_choice parallel_tool_calls max_tokens temperature top_p frequency_penalty
	presence_penalty random_seed stop n response_format prediction prompt_mode safe_prompt reasoning_effort metadata guardrails
	prompt_cache_key`

const cohereKeys = `model messages stream tools tool_choice strict_tools documents citation_options response_format safety_mode
	max_tokens stop_sequences temperature seed frequency_penalty presence_penalty k p logprobs thinking priority raw_prompting`

func (a *Ask) checkChat(doc node) {
	a.checkKeys("request", doc, chatKeys)
	a.checkChatLike(doc)
	a.checkTools(wordName)
	a.checkCalls(nil, wordName)
	if n := len(stops(doc.get("stop"))); n > 4 {
		a.breach("%d stop sequences, but 4 are allowed", n)
	}
	a.between("temperature", doc.get("temperature"), "0", "2")
	if doc.get("max_tokens").exists() && doc.get("max_completion_tokens").exists() {
		a.breach("max_tokens and max_completion_tokens")
	}
	if doc.get("stream_options").exists() && !a.Stream {
		a.breach("stream_options without a stream")
	}
	if doc.get("parallel_tool_calls").exists() && len(a.Tools)+a.ServerTools == 0 {
		a.breach("parallel_tool_calls without tools")
	}
	if f := doc.get("response_format"); f.str("type") == "json_schema" && !wordName.MatchString(f.str("json_schema", "name")) {
		a.breach("the schema name %q is not allowed", f.str("json_schema", "name"))
	}
}

// checkMistral knows what Mistral's API has by another name or not at all.
func (a *Ask) checkMistral(doc node) {
	a.checkKeys("request", doc, mistralKeys)
	a.checkChatLike(doc)
	a.checkTools(wordName)
	a.checkCalls(shortID, wordName)
	before := ""
	for _, m := range doc.list("messages") {
		role := m.str("role")
		if role == "developer" || role == roleUser && before == "tool" {
			a.breach("a %s message after a %s message", role, before)
		}
		before = role
	}
}

func (a *Ask) checkCohere(doc node) {
	a.checkKeys("request", doc, cohereKeys)
	a.checkChatLike(doc)
	a.checkTools(wordName)
	a.checkCalls(nil, wordName)
	if c := doc.get("tool_choice"); c.exists() && c.str() != "REQUIRED" && c.str() != "NONE" {
		a.breach("tool_choice is %s", c.canonical())
	}
	for _, m := range doc.list("messages") {
		if m.str("role") == "developer" {
			a.breach("a developer message")
		}
	}
}

// checkChatLike finds what all of these APIs refuse.
func (a *Ask) checkChatLike(doc node) {
	if len(doc.list("messages")) == 0 {
		a.breach("no messages")
	}
	if doc.str("model") == "" && len(doc.list("models")) == 0 {
		a.breach("no model")
	}
	for i, m := range doc.list("messages") {
		role := m.str("role")
		switch {
		case !slices.Contains([]string{"system", "developer", "user", "assistant", "tool", "function"}, role):
			a.breach("message %d has the role %q", i, role)
		case role == "tool" && m.str("tool_call_id") == "":
			a.breach("message %d answers no call", i)
		case role == roleAssistant:
			a.checkChatAnswer(i, m)
		case !m.get("content").exists():
			a.breach("message %d has no content", i)
		}
		for _, p := range m.list("content") {
			a.checkChatPart(i, role, p)
		}
	}
	if tools := doc.get("tools"); tools.isList() && len(tools.list()) == 0 {
		a.breach("an empty list of tools")
	}
	for _, t := range doc.list("tools") {
		kind := t.str("type")
		if t.get("function").exists() && kind != "function" && a.Endpoint != Mistral || t.get("custom").exists() && kind != "custom" {
			a.breach("a tool of the type %q", kind)
		}
	}
	for _, k := range []string{"tool_choice", "response_format"} {
		c := doc.get(k)
		for _, kind := range []string{"function", "custom", "allowed_tools", "json_schema"} {
			if c.get(kind).exists() && c.str("type") != kind && a.Endpoint != Cohere {
				a.breach("%s of the type %q", k, c.str("type"))
			}
		}
	}
}

func (a *Ask) checkChatAnswer(i int, m node) {
	calls := m.get("tool_calls")
	if calls.isList() && len(calls.list()) == 0 {
		a.breach("message %d has an empty list of calls", i)
	}
	content := m.get("content")
	said := content.isString() || len(content.list()) > 0
	for _, k := range []string{"refusal", "tool_calls", "function_call", "audio", "tool_plan", "reasoning", "reasoning_content"} {
		said = said || m.get(k).exists()
	}
	if !said {
		a.breach("message %d is empty", i)
	}
	for _, c := range calls.list() {
		if args := c.get("function", "arguments"); c.get("function").exists() && !args.isString() {
			a.breach("message %d: arguments are no string", i)
		} else if _, err := parse([]byte(args.str())); err != nil && c.get("function").exists() && a.Endpoint != Chat {
			a.breach("message %d: arguments are no JSON", i)
		}
		if kind := c.str("type"); kind != "function" && kind != "custom" && a.Endpoint != Mistral {
			a.breach("message %d: a call of the type %q", i, kind)
		}
		if c.str("id") == "" {
			a.breach("message %d: a call without an id", i)
		}
	}
}

func (a *Ask) checkChatPart(i int, role string, p node) {
	kind := p.str("type")
	switch {
	case role == roleAssistant && !slices.Contains([]string{"text", "refusal", "thinking"}, kind):
		a.breach("message %d: %s in an assistant's message", i, kind)
	case role == "tool" && kind != "text" && a.Endpoint != Cohere && a.Endpoint != Mistral:
		a.breach("message %d: %s in a tool's message", i, kind)
	case strings.HasPrefix(kind, "input_") && kind != "input_audio":
		a.breach("message %d: a part of type %s", i, kind)
	case kind == "":
		a.breach("message %d: a part without a type", i)
	}
	part := chatPart(p)
	if part.isMedia() {
		a.checkMedia(part)
	}
}

// checkMedia finds media that are not there.
func (a *Ask) checkMedia(p Part) {
	m := p.Media
	if m.Data == "" && m.URL == "" && m.FileID == "" && m.Text == "" {
		a.breach("the %s is empty", p.Kind)
	}
	if _, ok := decodeBase64(m.Data); !ok {
		a.breach("the %s is no base64", p.Kind)
	}
}

func (a *Ask) checkOllama(doc node) {
	a.checkKeys("request", doc, "model messages tools stream format options think keep_alive logprobs top_logprobs truncate shift")
	a.checkKeys("options", doc.get("options"), `num_ctx num_predict num_keep temperature top_p top_k min_p typical_p repeat_last_n
		repeat_penalty presence_penalty frequency_penalty seed stop num_batch num_gpu main_gpu use_mmap num_thread`)
	for i, m := range doc.list("messages") {
		if role := m.str("role"); !slices.Contains([]string{"system", "user", "assistant", "tool"}, role) {
			a.breach("message %d has the role %q", i, role)
		}
		if c := m.get("content"); c.exists() && !c.isString() {
			a.breach("message %d: the content is no string", i)
		}
		for _, image := range m.list("images") {
			if _, ok := decodeBase64(image.str()); !ok || image.str() == "" {
				a.breach("message %d: the image is no base64", i)
			}
		}
		for _, c := range m.list("tool_calls") {
			if !c.get("function", "arguments").isObject() {
				a.breach("message %d: arguments are no object", i)
			}
		}
	}
	for _, t := range doc.list("tools") {
		if kind := t.str("type"); kind != "function" {
			a.breach("a tool of the type %q", kind)
		}
	}
	a.checkTools(wordName)
	a.checkCalls(nil, nil)
}
