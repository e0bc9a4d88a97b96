package providers

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// vendorErrors are errors in the shapes and words of their vendors.
var vendorErrors = []struct {
	name    string
	dialect Dialect
	status  int
	header  http.Header
	body    string
	class   Class
	billed  Billed
	fault   Fault // the fields that are checked when they are set
}{
	{
		name: "OpenAI rate limit", status: 429, class: ClassRateLimit,
		header: http.Header{"Retry-After-Ms": {"1500"}, "Retry-After": {"2"}},
		body:   `{"error":{"message":"Rate limit reached for gpt-x on tokens per min (TPM)","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
		fault:  Fault{Type: "tokens", Code: "rate_limit_exceeded", RetryAfter: 1500 * time.Millisecond},
	},
	{
		name: "OpenAI quota", status: 429, class: ClassBilling,
		body: `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
	},
	{name: "OpenAI project spend limit", status: 429, class: ClassBilling, body: `{"error":{"message":"m","type":"insufficient_quota_x","code":"project_spend_limit_exceeded"}}`},
	{name: "OpenAI usage limit", status: 429, class: ClassBilling, body: `{"error":{"message":"m","code":"organization_usage_limit_exceeded"}}`},
	{name: "OpenAI images out of money", status: 400, class: ClassBilling, body: `{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}`},
	{
		name: "OpenAI context length", status: 400, class: ClassContextLength,
		body:  `{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		fault: Fault{Param: "messages", Code: "context_length_exceeded"},
	},
	{name: "OpenAI wrong key", status: 401, class: ClassAuth, body: `{"error":{"message":"Incorrect API key provided: sk-proj-abcd********wxyz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, fault: Fault{Message: "Incorrect API key provided: [redacted]"}},
	{name: "OpenAI region", status: 403, class: ClassAuth, body: `{"error":{"message":"Country not supported","type":"request_forbidden","code":"unsupported_country_region_territory"}}`},
	{name: "OpenAI model", status: 404, class: ClassNotFound, body: `{"error":{"message":"The model x does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
	{name: "OpenAI model forbidden for the project", status: 403, class: ClassNotFound, body: `{"error":{"message":"Project p does not have access to model x","code":"model_not_found"}}`},
	{name: "OpenAI stored response", status: 404, class: ClassInvalid, body: `{"error":{"message":"Previous response not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}`},
	{name: "OpenAI unknown parameter", status: 400, class: ClassInvalid, body: `{"error":{"message":"Unknown parameter: 'quality'.","type":"invalid_request_error","param":"quality","code":"unknown_parameter"}}`, fault: Fault{Param: "quality"}},
	{name: "OpenAI usage policy", status: 400, class: ClassContentFilter, body: `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","code":"invalid_prompt"}}`},
	{name: "OpenAI conflict", status: 409, class: ClassServerError, body: `{"error":{"message":"Another process is operating on this conversation","type":"invalid_request_error","code":"conversation_locked"}}`},
	{name: "OpenAI slow down", status: 503, class: ClassRateLimit, body: `{"error":{"message":"Slow down","type":"server_error","code":"slow_down"}}`},
	{name: "OpenAI overloaded", status: 503, class: ClassOverloaded, body: `{"error":{"message":"busy","type":"server_error","code":"server_is_overloaded"}}`},
	{name: "OpenAI server error", status: 500, class: ClassServerError, billed: BilledUnknown, body: `{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}`, fault: Fault{Type: "server_error"}},
	{name: "Azure deployment", status: 404, class: ClassNotFound, body: `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`},
	{name: "Azure wrong key", status: 401, class: ClassAuth, body: `{"error":{"code":"401","message":"Access denied due to invalid subscription key."}}`},
	{name: "Azure content filter", status: 400, class: ClassContentFilter, body: `{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}`},
	{name: "Azure content filter by the inner error", status: 400, class: ClassContentFilter, body: `{"error":{"message":"m","innererror":{"code":"ResponsibleAIPolicyViolation"}}}`},
	{name: "Groq tool call", status: 400, class: ClassInvalid, body: `{"error":{"code":"tool_use_failed","failed_generation":"x","message":"Tool call validation failed","type":"invalid_request_error"}}`},
	{name: "Groq request above the tokens per minute", status: 413, class: ClassContextLength, body: `{"error":{"message":"Request too large for model on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}`},
	{name: "Groq flex capacity", status: 498, class: ClassOverloaded, body: `{"error":{"message":"Flex tier capacity exceeded","type":"capacity"}}`},
	{
		name: "OpenRouter quotes a text", status: 429, class: ClassRateLimit,
		body:  `{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Google","raw":"m:free is temporarily rate-limited upstream."}},"user_id":"u"}`,
		fault: Fault{Code: "429", Message: "Provider returned error: m:free is temporarily rate-limited upstream."},
	},
	{
		name: "OpenRouter quotes an error", status: 400, class: ClassContextLength,
		body:  `{"error":{"metadata":{"raw":"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 210000 tokens > 200000 maximum\"}}"},"message":"Provider returned error","code":400}}`,
		fault: Fault{Message: "Provider returned error: prompt is too long: 210000 tokens > 200000 maximum"},
	},
	{name: "OpenRouter credits", status: 402, class: ClassBilling, body: `{"error":{"message":"Insufficient credits","code":402}}`},
	{name: "OpenRouter moderation", status: 403, class: ClassContentFilter, body: `{"error":{"code":403,"message":"Input flagged","metadata":{"reasons":["violence"],"flagged_input":"x"}}}`},
	{name: "OpenRouter error inside a 200", status: 200, class: ClassServerError, billed: BilledUnknown, body: `{"error":{"code":502,"message":"Bad upstream"}}`, header: http.Header{"Retry-After": {"9"}}},
	{name: "OpenRouter rate limit inside a 200", status: 200, class: ClassRateLimit, billed: BilledUnknown, body: `{"id":"x","error":{"code":429,"message":"slow"},"choices":[]}`},
	{name: "DeepSeek balance", status: 402, class: ClassBilling, body: `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`},
	{name: "DeepSeek policy", status: 400, class: ClassContentFilter, body: `{"error":{"message":"Content Exists Risk","type":"invalid_request_error"}}`},
	{name: "xAI prompt length", status: 400, class: ClassContextLength, body: `{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}`},
	{name: "Moonshot quota", status: 429, class: ClassBilling, body: `{"error":{"type":"exceeded_current_quota_error","message":"Your account is suspended"}}`},
	{name: "Alibaba arrears", status: 400, class: ClassBilling, body: `{"error":{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","type":"Arrearage"}}`},
	{name: "Z.ai arrears", status: 429, class: ClassBilling, body: `{"error":{"code":"1113","message":"Insufficient balance or no resource package."}}`},
	{name: "Z.ai concurrency", status: 429, class: ClassRateLimit, body: `{"error":{"code":"1302","message":"High concurrency usage of this API"}}`},
	{name: "llama.cpp context", status: 400, class: ClassContextLength, body: `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}`},
	{name: "vLLM context", status: 400, class: ClassContextLength, body: `{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}`},
	{name: "Hugging Face text", status: 503, class: ClassOverloaded, body: `{"error":"Model is currently loading","estimated_time":20}`, fault: Fault{Message: "Model is currently loading"}},

	{
		name: "Anthropic rate limit", dialect: Messages, status: 429, class: ClassRateLimit, header: http.Header{"Retry-After": {"12"}},
		body:  `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed the rate limit"},"request_id":"req_1"}`,
		fault: Fault{Type: "rate_limit_error", RetryAfter: 12 * time.Second},
	},
	{name: "Anthropic spend limit", dialect: Messages, status: 429, class: ClassBilling, body: `{"type":"error","error":{"type":"enforced_spend_limit_reached","message":"m"}}`},
	{name: "Anthropic credit", dialect: Messages, status: 400, class: ClassBilling, body: `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`},
	{name: "Anthropic usage limits", dialect: Messages, status: 400, class: ClassBilling, body: `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-09-01."}}`},
	{name: "Anthropic billing error", dialect: Messages, status: 402, class: ClassBilling, body: `{"type":"error","error":{"type":"billing_error","message":"m"}}`},
	{name: "Anthropic overloaded", dialect: Messages, status: 529, class: ClassOverloaded, body: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`},
	{name: "Anthropic overloaded in a stream", dialect: Messages, status: 200, class: ClassOverloaded, billed: BilledUnknown, body: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`},
	{name: "Anthropic invalid in a stream", dialect: Messages, status: 200, class: ClassInvalid, billed: BilledUnknown, body: `{"type":"error","error":{"type":"invalid_request_error","message":"x"}}`},
	{name: "Anthropic server error", dialect: Messages, status: 500, class: ClassServerError, billed: BilledUnknown, body: `{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`},
	{name: "Anthropic timeout", dialect: Messages, status: 504, class: ClassServerError, billed: BilledUnknown, body: `{"type":"error","error":{"type":"timeout_error","message":"m"}}`},
	{name: "Anthropic key", dialect: Messages, status: 401, class: ClassAuth, body: `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`},
	{name: "Anthropic permission", dialect: Messages, status: 403, class: ClassAuth, body: `{"type":"error","error":{"type":"permission_error","message":"m"}}`},
	{name: "Anthropic model", dialect: Messages, status: 404, class: ClassNotFound, body: `{"error":{"message":"model: claude-sonet-4-5","type":"not_found_error"},"request_id":"r","type":"error"}`, fault: Fault{Type: "not_found_error"}},
	{name: "Anthropic too long", dialect: Messages, status: 400, class: ClassContextLength, body: `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`},
	{name: "Anthropic too large", dialect: Messages, status: 413, class: ClassContextLength, body: `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`},
	{name: "Anthropic policy", dialect: Messages, status: 400, class: ClassContentFilter, body: `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`},

	{
		name: "Gemini rate", dialect: Gemini, status: 429, class: ClassRateLimit,
		body:  `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31s"}]}}`,
		fault: Fault{RetryAfter: 31 * time.Second, Code: "429"},
	},
	{name: "Gemini daily quota", dialect: Gemini, status: 429, class: ClassBilling, body: `{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}`},
	{name: "Gemini key", dialect: Gemini, status: 400, class: ClassAuth, body: `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`},
	{name: "Gemini region", dialect: Gemini, status: 400, class: ClassAuth, body: `{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}`},
	{name: "Gemini model", dialect: Gemini, status: 404, class: ClassNotFound, body: `{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}`},
	{name: "Gemini too long", dialect: Gemini, status: 400, class: ClassContextLength, body: `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`},
	{name: "Gemini too long with 500", dialect: Gemini, status: 500, class: ClassContextLength, body: `{"error":{"code":500,"message":"The input token count exceeds the maximum number of tokens allowed","status":"INTERNAL"}}`},
	{name: "Gemini invalid", dialect: Gemini, status: 400, class: ClassInvalid, body: `{"error":{"code":400,"message":"temperature out of range","status":"INVALID_ARGUMENT","details":[]}}`},
	{name: "Gemini overloaded", dialect: Gemini, status: 503, class: ClassOverloaded, body: `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`},
	{name: "Gemini deadline", dialect: Gemini, status: 504, class: ClassServerError, billed: BilledUnknown, body: `{"error":{"code":504,"message":"Deadline expired","status":"DEADLINE_EXCEEDED"}}`},
	{name: "Gemini error in an array", dialect: Gemini, status: 429, class: ClassRateLimit, body: `[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`, fault: Fault{Message: "slow"}},
	{name: "Gemini error in a stream", dialect: Gemini, status: 200, class: ClassOverloaded, billed: BilledUnknown, body: `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`},

	{
		name: "Bedrock throttling", status: 429, class: ClassRateLimit, header: http.Header{"X-Amzn-Errortype": {"ThrottlingException:http://internal/"}},
		body: `{"message":"Too many tokens, please wait before trying again."}`, fault: Fault{Type: "ThrottlingException"},
	},
	{name: "Bedrock model", status: 400, class: ClassNotFound, header: http.Header{"X-Amzn-Errortype": {"ValidationException:http://internal/"}}, body: `{"message":"The provided model identifier is invalid."}`},
	{name: "Bedrock too long", status: 400, class: ClassContextLength, header: http.Header{"X-Amzn-Errortype": {"ValidationException"}}, body: `{"message":"Input is too long for requested model."}`},
	{name: "Bedrock validation", status: 400, class: ClassInvalid, header: http.Header{"X-Amzn-Errortype": {"ValidationException"}}, body: `{"message":"Malformed input request"}`},
	{name: "Bedrock credential", status: 403, class: ClassAuth, header: http.Header{"X-Amzn-Errortype": {"UnrecognizedClientException"}}, body: `{"message":"The security token included in the request is invalid."}`},
	{name: "Bedrock model access", status: 403, class: ClassNotFound, header: http.Header{"X-Amzn-Errortype": {"AccessDeniedException"}}, body: `{"Message":"You don't have access to the model with the specified model ID."}`},
	{name: "Bedrock not ready", status: 429, class: ClassOverloaded, header: http.Header{"X-Amzn-Errortype": {"ModelNotReadyException"}}, body: `{"message":"not ready"}`},
	{name: "Bedrock model error", status: 424, class: ClassServerError, billed: BilledUnknown, header: http.Header{"X-Amzn-Errortype": {"ModelErrorException"}}, body: `{"message":"m"}`},
	{name: "Bedrock model timeout", status: 408, class: ClassTimeout, billed: BilledUnknown, header: http.Header{"X-Amzn-Errortype": {"ModelTimeoutException"}}, body: `{"message":"m"}`},
	{name: "Bedrock type in the body", status: 400, class: ClassInvalid, body: `{"__type":"com.amazon.coral#ValidationException","Message":"m"}`, fault: Fault{Type: "ValidationException", Message: "m"}},

	{name: "Mistral validation", status: 422, class: ClassInvalid, body: `{"object":"error","message":{"detail":[{"loc":["body","x"],"msg":"Extra inputs"}]},"type":"invalid_request_error"}`},
	{name: "Mistral FastAPI", status: 422, class: ClassInvalid, body: `{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"}]}`, fault: Fault{Message: "Field required", Param: "messages.0.role"}},
	{name: "Mistral model", status: 400, class: ClassNotFound, body: `{"object":"error","message":"Invalid model: mistral-nope","type":"invalid_model","param":null,"code":"1500"}`},
	{name: "Mistral too long", status: 400, class: ClassContextLength, body: `{"object":"error","message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","code":null}`},
	{name: "Cohere too long", status: 400, class: ClassContextLength, body: `{"id":"1","message":"too many tokens: size limit exceeded by 1 tokens"}`},
	{name: "Cohere key", status: 401, class: ClassAuth, body: `{"id":"1","message":"invalid api token"}`, fault: Fault{Message: "invalid api token"}},
	{
		name: "Cohere in a stream", status: 500, class: ClassServerError, billed: BilledUnknown, body: `{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"no valid call","error_type":"INVALID_TOOL_GENERATION"}}`,
		fault: Fault{Type: "INVALID_TOOL_GENERATION", Message: "no valid call"},
	},
	{name: "Voyage", status: 400, class: ClassInvalid, body: `{"detail":"wrong"}`, fault: Fault{Message: "wrong"}},
	{name: "Ollama model", status: 404, class: ClassNotFound, body: `{"error":"model 'x' not found"}`, fault: Fault{Message: "model 'x' not found"}},

	{name: "HTML page", status: 502, class: ClassServerError, billed: BilledUnknown, body: "<html><h1>502 Bad Gateway</h1>"},
	{name: "plain text", status: 500, class: ClassServerError, billed: BilledUnknown, body: "upstream\nfailed\x1b[31m", fault: Fault{Message: "upstream failed[31m"}},
	{name: "nothing", status: 503, class: ClassOverloaded},
	{name: "binary", status: 400, class: ClassInvalid, body: "\xff\xfe\x00"},
	{name: "cut JSON", status: 400, class: ClassInvalid, body: `{"error":{"message":"half`},
	{name: "teapot", status: 418, class: ClassInvalid, body: `{}`},
	{name: "request timeout", status: 408, class: ClassTimeout, billed: BilledUnknown},
	{name: "redirect", status: 307, class: ClassServerError, billed: BilledNo},
	{name: "switching protocols", status: 101, class: ClassServerError, billed: BilledNo},
	{name: "Cloudflare", status: 524, class: ClassServerError, billed: BilledUnknown},
	{name: "no content", status: 204, class: ClassServerError, billed: BilledUnknown},
	{name: "status that does not exist", status: 999, class: ClassServerError, billed: BilledUnknown},
}

func TestVendorErrorsAreClassified(t *testing.T) {
	for _, tc := range vendorErrors {
		t.Run(tc.name, func(t *testing.T) {
			if tc.dialect == "" {
				tc.dialect = Chat
			}
			f := Classify(tc.dialect, tc.status, tc.header, []byte(tc.body))
			if f.Class != tc.class || f.Billed != tc.billed || f.Status != tc.status {
				t.Errorf("class %q billed %d status %d, want %q %d %d", f.Class, f.Billed, f.Status, tc.class, tc.billed, tc.status)
			}
			for _, c := range []struct{ field, got, want string }{
				{"type", f.Type, tc.fault.Type},
				{"code", f.Code, tc.fault.Code},
				{"param", f.Param, tc.fault.Param},
				{"message", f.Message, tc.fault.Message},
			} {
				if c.want != "" && c.got != c.want {
					t.Errorf("%s %q, want %q", c.field, c.got, c.want)
				}
			}
			if f.RetryAfter != tc.fault.RetryAfter {
				t.Errorf("retry after %v, want %v", f.RetryAfter, tc.fault.RetryAfter)
			}
		})
	}
}

func TestErrorsAreKeptSmallAndClean(t *testing.T) {
	message := strings.Repeat("é", 5000) + " sk-abcdef123456"
	body := []byte(`{"error":{"message":"` + message + `","type":"` + strings.Repeat("t", 500) + `"}}` + strings.Repeat(" ", 1<<20))
	f := Classify(Chat, 400, http.Header{"Content-Type": {"application/json"}}, body)
	if len(f.Message) > 2<<10 || !utf8.ValidString(f.Message) || !strings.HasPrefix(message, f.Message) {
		t.Errorf("message of %d bytes", len(f.Message))
	}
	if len(f.Type) != 128 || len(f.Body) > 64<<10 || f.ContentType != "application/json" {
		t.Errorf("type %d, body %d, content type %q", len(f.Type), len(f.Body), f.ContentType)
	}
	if strings.Contains(string(f.Body), "sk-abc") {
		t.Error("the body holds a key")
	}
}

func TestAnErrorWithoutSecretsIsPassedOnAsItCame(t *testing.T) {
	body := []byte(`{"error":{"message":"no  such\u0020thing"} }`)
	if f := Classify(Chat, 400, nil, body); string(f.Body) != string(body) {
		t.Errorf("body %s", f.Body)
	}
}

func TestWaitingIsOnlyHeededWhereItHelps(t *testing.T) {
	h := http.Header{"Retry-After": {"7"}}
	for status, want := range map[int]time.Duration{400: 0, 401: 0, 404: 0, 200: 0, 429: 7 * time.Second, 503: 7 * time.Second, 500: 7 * time.Second} {
		if got := Classify(Chat, status, h, nil).RetryAfter; got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

// TestRecordedErrorsAreClassified runs over recordings of real traffic, which are not part of the repository.
func TestRecordedErrorsAreClassified(t *testing.T) {
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED names no folder of recordings")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		var x struct {
			Endpoint string
			Response struct {
				Status   int
				Headers  map[string]string
				Encoding string
				Body     string
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(text, &x) != nil || x.Response.Status < 400 || x.Response.Encoding == "base64" {
			continue
		}
		h := http.Header{}
		for k, v := range x.Response.Headers {
			h.Set(k, v)
		}
		f := Classify(Chat, x.Response.Status, h, []byte(x.Response.Body))
		seen++
		if f.Message == "" {
			t.Errorf("%s: no message found in %s", file, x.Response.Body)
		}
		lower := strings.ToLower(x.Response.Body)
		notFound := strings.Contains(lower, "model") && (x.Response.Status == 404 || strings.Contains(lower, "identifier is invalid") || strings.Contains(lower, "does not exist"))
		want := ClassInvalid
		switch {
		case notFound:
			want = ClassNotFound
		case x.Response.Status == 429:
			want = ClassRateLimit
		case strings.Contains(lower, "api key not valid"):
			want = ClassAuth
		}
		if f.Class != want {
			t.Errorf("%s: class %q, want %q", file, f.Class, want)
		}
	}
	t.Logf("%d recorded errors", seen)
	if seen == 0 {
		t.Error("no recorded errors")
	}
}

func FuzzClassify(f *testing.F) {
	for _, tc := range vendorErrors {
		f.Add(tc.status, []byte(tc.body), "1")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, header string) {
		h := http.Header{
			"Retry-After": {header}, "X-Ratelimit-Reset": {header}, "X-Amzn-Errortype": {header},
			"Anthropic-Ratelimit-Tokens-Reset": {header},
		}
		for _, d := range []Dialect{Chat, Messages, Gemini} {
			fault := Classify(d, status, h, body)
			if fault.Class == ClassNone || fault.RetryAfter < 0 || fault.RetryAfter > maxRetryAfter {
				t.Fatalf("fault %+v", fault)
			}
			if len(fault.Message) > maxErrorMessage || !utf8.ValidString(fault.Message) || strings.ContainsAny(fault.Message, "\r\n\x00\x1b") {
				t.Fatalf("message %q", fault.Message)
			}
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	body := []byte(`{"error":{"message":"Rate limit reached for gpt-x on tokens per min (TPM)","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`)
	h := http.Header{"Retry-After": {"2"}}
	b.ReportAllocs()
	for b.Loop() {
		Classify(Chat, 429, h, body)
	}
}
