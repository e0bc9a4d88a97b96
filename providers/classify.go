package providers

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxErrorBody    = 64 << 10 // of Fault.Body
	maxErrorMessage = 2 << 10  // of Fault.Message
	maxErrorField   = 128      // of Fault.Type, Code and Param
)

// Classify turns a provider's refusal into a fault. It knows the error shapes and words of OpenAI and its clones,
// Azure, OpenRouter, Anthropic, Gemini and Vertex, Bedrock, Mistral, Cohere, Ollama and the common inference servers, and
// answers for every input: an unknown 4xx is the caller's fault, everything else unknown the server's.
//
// A status of 2xx or 0 means an error inside a successful answer (a stream's error event, a 200 with "error" in it);
// the status that the error names for itself is taken then, and no header is heeded.
//
// The most specific evidence wins: codes that mean one thing everywhere, then phrases in the message, then general
// types, then the status. The fault's Body aliases body.
func Classify(d Dialect, status int, h http.Header, body []byte) Fault {
	f := parseError(body)
	if e := h.Get("X-Amzn-Errortype"); e != "" {
		f.kind = strings.TrimSpace(e[:strings.IndexByte(e+":", ':')]) // "ValidationException:http://…"
	}
	inBody := status == 0 || status/100 == 2
	effective := status
	if inBody {
		effective = statusOf(&f)
	}
	class := classOf(d, effective, &f)
	fault := Fault{
		Class:   class,
		Status:  status,
		Type:    cut(f.kind, maxErrorField),
		Code:    cut(f.code, maxErrorField),
		Param:   cut(f.param, maxErrorField),
		Message: cut(clean(f.message), maxErrorMessage),
		Billed:  billedFor(effective, inBody, class),
		Body:    redactBody(body[:min(len(body), maxErrorBody)]),
	}
	if h != nil {
		fault.ContentType = h.Get("Content-Type")
	}
	if mayRetryLater(class) {
		if inBody {
			h = nil
		}
		fault.RetryAfter = RetryAfter(h, body, time.Now())
	}
	return fault
}

// mayRetryLater reports whether waiting can help. Some vendors send retry headers with every answer.
func mayRetryLater(c Class) bool {
	switch c {
	case ClassRateLimit, ClassOverloaded, ClassServerError, ClassTimeout, ClassBilling:
		return true
	}
	return false
}

// billedFor says what a refusal costs: nothing where the provider did no work, unknown where it may have failed in
// the middle of it.
func billedFor(status int, inBody bool, c Class) Billed {
	switch {
	case inBody:
		return BilledUnknown
	case status < 400:
		return BilledNo // a redirect, which is never followed
	case c == ClassServerError && status != http.StatusConflict, c == ClassTimeout:
		return BilledUnknown
	}
	return BilledNo
}

func classOf(d Dialect, status int, f *errorFields) Class {
	words := f.words()
	for _, w := range words {
		if c, ok := specificClass[w]; ok {
			return c.at(status)
		}
		for suffix, c := range specificSuffix {
			if strings.HasSuffix(w, suffix) {
				return c
			}
		}
	}
	if c := classByPhrase(status, strings.ToLower(f.message)); c != ClassNone {
		return c
	}
	if status == http.StatusRequestEntityTooLarge && d == Messages {
		return ClassContextLength
	}
	for _, w := range words {
		if c, ok := generalClass[w]; ok {
			return c
		}
	}
	return classByStatus(status)
}

// classByStatus is what the status alone says.
func classByStatus(status int) Class {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ClassAuth
	case http.StatusPaymentRequired:
		return ClassBilling
	case http.StatusNotFound:
		return ClassNotFound
	case http.StatusRequestTimeout:
		return ClassTimeout
	case http.StatusConflict, http.StatusFailedDependency:
		return ClassServerError // a lost race or a failed model behind the API: worth another try
	case http.StatusTooManyRequests:
		return ClassRateLimit
	case http.StatusServiceUnavailable, 498, 529: // 498: Groq's flex tier has no capacity; 529: Anthropic
		return ClassOverloaded
	}
	if 400 <= status && status < 500 {
		return ClassInvalid
	}
	return ClassServerError // 5xx, and answers that are none: 1xx, 3xx, 2xx without sense
}

// verdict is a class that may depend on the status.
type verdict struct {
	class Class
	// other applies at the status in when.
	when  int
	other Class
}

func (v verdict) at(status int) Class {
	if v.when != 0 && v.when == status {
		return v.other
	}
	return v.class
}

func always(c Class) verdict { return verdict{class: c} }

// specificClass are codes, types and reasons that mean one thing whoever sends them, in lower case.
var specificClass = map[string]verdict{
	// Money.
	"insufficient_quota":           always(ClassBilling), // OpenAI
	"insufficient_credits":         always(ClassBilling), // OpenRouter
	"insufficient_balance":         always(ClassBilling),
	"credit_balance_exhausted":     always(ClassBilling), // OpenAI
	"billing_error":                always(ClassBilling), // Anthropic
	"billing_hard_limit_reached":   always(ClassBilling), // OpenAI
	"billing_not_active":           always(ClassBilling), // OpenAI
	"enforced_spend_limit_reached": always(ClassBilling), // Anthropic
	"exceeded_current_quota_error": always(ClassBilling), // Moonshot
	"arrearage":                    always(ClassBilling), // Alibaba
	"credit_limit":                 always(ClassBilling), // Together
	"daily_quota":                  always(ClassBilling), // Gemini, made by parseError from QuotaFailure
	"1113":                         always(ClassBilling), // Z.ai: account in arrears
	"1309":                         always(ClassBilling), // Z.ai: plan expired
	// Length. Groq refuses requests above the tokens per minute with 413: waiting does not help.
	"context_length_exceeded":   always(ClassContextLength),
	"exceed_context_size_error": always(ClassContextLength), // llama.cpp
	"1261":                      always(ClassContextLength), // Z.ai
	"rate_limit_exceeded":       {ClassRateLimit, http.StatusRequestEntityTooLarge, ClassContextLength},
	// Policy.
	"content_filter":               always(ClassContentFilter), // Azure, Moonshot
	"content_policy_violation":     always(ClassContentFilter),
	"responsibleaipolicyviolation": always(ClassContentFilter), // Azure
	"moderation_blocked":           always(ClassContentFilter), // OpenAI images
	"data_inspection_failed":       always(ClassContentFilter), // Alibaba
	"datainspectionfailed":         always(ClassContentFilter), // Alibaba
	"prohibited_content":           always(ClassContentFilter), // Gemini
	"1301":                         always(ClassContentFilter), // Z.ai
	"flagged_input":                always(ClassContentFilter), // OpenRouter, made by parseError from metadata
	// Credentials.
	"invalid_api_key":                      always(ClassAuth),
	"api_key_invalid":                      always(ClassAuth), // Gemini, with status 400
	"api_key_expired":                      always(ClassAuth),
	"unrecognizedclientexception":          always(ClassAuth), // AWS
	"expiredtokenexception":                always(ClassAuth),
	"invalidsignatureexception":            always(ClassAuth),
	"missingauthenticationtokenexception":  always(ClassAuth),
	"incompletesignatureexception":         always(ClassAuth),
	"unsupported_country_region_territory": always(ClassAuth), // OpenAI
	// Models.
	"model_not_found":     always(ClassNotFound),
	"modelnotfound":       always(ClassNotFound),
	"model_not_available": always(ClassNotFound),
	"deploymentnotfound":  always(ClassNotFound), // Azure
	"1211":                always(ClassNotFound), // Z.ai
	// Load.
	"slow_down":               always(ClassRateLimit), // OpenAI, with status 503
	"engine_overloaded":       always(ClassOverloaded),
	"engine_overloaded_error": always(ClassOverloaded), // Moonshot
	"server_is_overloaded":    always(ClassOverloaded), // OpenAI
	"overloaded_error":        always(ClassOverloaded), // Anthropic
	"modelnotreadyexception":  always(ClassOverloaded), // Bedrock, with status 429
	"capacity_exceeded":       always(ClassOverloaded),
	"1305":                    always(ClassOverloaded), // Z.ai
	"1312":                    always(ClassOverloaded), // Z.ai
	"throttlingexception":     always(ClassRateLimit),  // AWS
	"1302":                    always(ClassRateLimit),  // Z.ai
	"1303":                    always(ClassRateLimit),  // Z.ai
	"1304":                    always(ClassRateLimit),  // Z.ai
	// The caller.
	"previous_response_not_found": always(ClassInvalid), // OpenAI, with status 404 or 400
	"tool_use_failed":             always(ClassInvalid), // Groq
}

// specificSuffix are families of OpenAI codes.
var specificSuffix = map[string]Class{
	"_spend_limit_exceeded": ClassBilling,
	"_usage_limit_exceeded": ClassBilling,
}

// generalClass are types that vendors use for several things; they count for less than what the message says.
var generalClass = map[string]Class{
	"rate_limit_error":            ClassRateLimit,
	"resource_exhausted":          ClassRateLimit,
	"too_many_requests":           ClassRateLimit,
	"authentication_error":        ClassAuth,
	"permission_error":            ClassAuth,
	"unauthenticated":             ClassAuth,
	"permission_denied":           ClassAuth,
	"accessdeniedexception":       ClassAuth,
	"not_found_error":             ClassNotFound,
	"not_found":                   ClassNotFound,
	"resourcenotfoundexception":   ClassNotFound,
	"timeout_error":               ClassServerError,
	"deadline_exceeded":           ClassServerError,
	"aborted":                     ClassServerError,
	"conflict_error":              ClassServerError,
	"api_error":                   ClassServerError,
	"server_error":                ClassServerError,
	"internal":                    ClassServerError,
	"internalserverexception":     ClassServerError,
	"modelerrorexception":         ClassServerError,
	"modelstreamerrorexception":   ClassServerError,
	"modeltimeoutexception":       ClassTimeout,
	"unavailable":                 ClassOverloaded,
	"serviceunavailableexception": ClassOverloaded,
	"overloaded":                  ClassOverloaded,
}

// phrase is a piece of a message, in lower case, that tells the class at the statuses given; none means any.
type phrase struct {
	text     string
	class    Class
	statuses []int
}

var (
	moneyStatuses  = []int{400, 402, 403, 429}
	lengthStatuses = []int{400, 413, 422, 500} // Gemini at times says 500
	callerStatuses = []int{400, 403, 422}
	modelStatuses  = []int{400, 403, 404, 422}
)

// phrases are tried in this order. Vendors change messages more often than codes: a phrase only refines what would be
// "invalid" or "rate limit" otherwise.
var phrases = []phrase{
	{"credit balance is too low", ClassBilling, moneyStatuses},              // Anthropic
	{"specified api usage limits", ClassBilling, moneyStatuses},             // Anthropic
	{"spend limit", ClassBilling, moneyStatuses},                            // Anthropic, OpenAI
	{"spending limit", ClassBilling, moneyStatuses},                         // xAI
	{"insufficient balance", ClassBilling, moneyStatuses},                   // DeepSeek, Moonshot, Z.ai
	{"insufficient credits", ClassBilling, moneyStatuses},                   // OpenRouter
	{"used all available credits", ClassBilling, moneyStatuses},             // xAI
	{"credits are depleted", ClassBilling, moneyStatuses},                   // Gemini
	{"exceeded your monthly included credits", ClassBilling, moneyStatuses}, // Hugging Face

	{"maximum context length", ClassContextLength, lengthStatuses}, // OpenAI, vLLM, DeepSeek, OpenRouter, Mistral
	{"model maximum context", ClassContextLength, lengthStatuses},  // Fireworks
	{"maximum prompt length", ClassContextLength, lengthStatuses},  // xAI
	{"context window", ClassContextLength, lengthStatuses},
	{"prompt is too long", ClassContextLength, lengthStatuses},                   // Anthropic
	{"exceed context limit", ClassContextLength, lengthStatuses},                 // Anthropic
	{"exceeds the maximum number of tokens", ClassContextLength, lengthStatuses}, // Gemini
	{"input is too long", ClassContextLength, lengthStatuses},                    // Bedrock
	{"too many input tokens", ClassContextLength, lengthStatuses},                // Bedrock
	{"too many tokens", ClassContextLength, lengthStatuses},                      // Cohere; Bedrock's throttling says it with 429
	{"available context size", ClassContextLength, lengthStatuses},               // llama.cpp
	{"greater than the context length", ClassContextLength, lengthStatuses},      // LM Studio
	{"reduce the length of the", ClassContextLength, lengthStatuses},             // OpenAI, Groq
	{"range of input length", ClassContextLength, lengthStatuses},                // Alibaba

	{"content filtering policy", ClassContentFilter, callerStatuses},                  // Anthropic
	{"content management policy", ClassContentFilter, callerStatuses},                 // Azure
	{"violating our usage policy", ClassContentFilter, callerStatuses},                // OpenAI reasoning models
	{"rejected as a result of our safety system", ClassContentFilter, callerStatuses}, // OpenAI images
	{"content exists risk", ClassContentFilter, callerStatuses},                       // DeepSeek
	{"requires moderation", ClassContentFilter, callerStatuses},                       // OpenRouter

	{"api key not valid", ClassAuth, callerStatuses},              // Gemini
	{"api key expired", ClassAuth, callerStatuses},                // Gemini
	{"user location is not supported", ClassAuth, callerStatuses}, // Gemini

	{"model identifier is invalid", ClassNotFound, modelStatuses}, // Bedrock
	{"access to the model", ClassNotFound, modelStatuses},         // Bedrock
	{"is not a valid model id", ClassNotFound, modelStatuses},     // OpenRouter
	{"model not exist", ClassNotFound, modelStatuses},             // DeepSeek
	{"invalid model: ", ClassNotFound, modelStatuses},             // Mistral
	{"overloaded", ClassOverloaded, []int{500}},
}

func classByPhrase(status int, message string) Class {
	if message == "" {
		return ClassNone
	}
	for _, p := range phrases {
		if (p.statuses == nil || slices.Contains(p.statuses, status)) && strings.Contains(message, p.text) {
			return p.class
		}
	}
	return ClassNone
}

// statusByWord are the statuses that in-stream errors would have had.
var statusByWord = map[Class]int{
	ClassRateLimit:     http.StatusTooManyRequests,
	ClassOverloaded:    529,
	ClassAuth:          http.StatusUnauthorized,
	ClassNotFound:      http.StatusNotFound,
	ClassTimeout:       http.StatusRequestTimeout,
	ClassBilling:       http.StatusPaymentRequired,
	ClassContextLength: http.StatusBadRequest,
	ClassContentFilter: http.StatusBadRequest,
	ClassInvalid:       http.StatusBadRequest,
}

// statusOf is the status that an error inside a successful answer stands for: the one it names, else what its type
// means, else 500.
func statusOf(f *errorFields) int {
	if 400 <= f.status && f.status < 600 {
		return f.status
	}
	for _, w := range f.words() {
		if c, ok := specificClass[w]; ok {
			return statusByWord[c.class]
		}
		if c, ok := generalClass[w]; ok && statusByWord[c] != 0 {
			return statusByWord[c]
		}
		switch w {
		case "invalid_request_error", "invalid_argument", "failed_precondition", "validationexception", "invalid_prompt":
			return http.StatusBadRequest
		}
	}
	return http.StatusInternalServerError
}
