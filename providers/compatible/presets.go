package compatible

import (
	"maps"
	"slices"

	"github.com/caddy-llm/llmgateway/providers"
)

// PresetInfo is what is known about a vendor or server that speaks a dialect that is not its own.
type PresetInfo struct {
	// BaseURL is the public endpoint, or where the server listens on the same machine unless told otherwise.
	BaseURL string
	// KeyEnv are the environment variables that usually hold the API key, in order of preference.
	KeyEnv []string
	// KeyOptional says that it usually runs without a key.
	KeyOptional bool
	// Local says that it runs on the user's own machines: its tokens are free of charge.
	Local bool
	// Dialects are what it speaks, best first; empty means Chat Completions only.
	Dialects []providers.Dialect
	// PriceBook is the vendor's name in the price book where it is not the name of the preset.
	PriceBook string
	// ChatPath are the segments below the vendor's own API where its Chat Completions are. It is set for those who have
	// an API of their own, too: Dialects then begins with that, and BaseURL holds no version.
	ChatPath []string
	// RerankPath are the segments below the vendor's own API where /rerank is, if it is not among the others.
	RerankPath []string
	// Unversioned says that a base URL without a path really has none: no /v1 is added.
	Unversioned bool
	// Needless are top-level members of Chat Completions requests that it answers with an error, although it does
	// without them what they ask for. They are removed, and nothing is lost.
	Needless []string
}

var (
	chatAndResponses = []providers.Dialect{providers.Chat, providers.Responses}
	// Cohere's own API can do more than its endpoint for OpenAI's clients, Ollama's as well; but what Ollama gets from
	// clients that speak Chat Completions can stay as it is.
	cohereOnly    = []providers.Dialect{providers.Cohere}
	ollamaAndChat = []providers.Dialect{providers.Ollama, providers.Chat}

	presets = map[string]PresetInfo{
		// Vendors.
		"alibaba":    {BaseURL: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", KeyEnv: []string{"DASHSCOPE_API_KEY"}},
		"alibaba-cn": {BaseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1", KeyEnv: []string{"DASHSCOPE_API_KEY"}},
		"baseten":    {BaseURL: "https://inference.baseten.co/v1", KeyEnv: []string{"BASETEN_API_KEY"}},
		"cerebras":   {BaseURL: "https://api.cerebras.ai/v1", KeyEnv: []string{"CEREBRAS_API_KEY"}},
		"chutes":     {BaseURL: "https://llm.chutes.ai/v1", KeyEnv: []string{"CHUTES_API_KEY"}},
		"cohere": {
			BaseURL: "https://api.cohere.com", KeyEnv: []string{"COHERE_API_KEY", "CO_API_KEY"}, Dialects: cohereOnly,
			ChatPath: []string{"compatibility", "v1"}, RerankPath: []string{"v2", "rerank"},
		},
		"crusoe":       {BaseURL: "https://api.inference.crusoecloud.com/v1", KeyEnv: []string{"CRUSOE_API_KEY"}},
		"deepinfra":    {BaseURL: "https://api.deepinfra.com/v1/openai", KeyEnv: []string{"DEEPINFRA_API_KEY"}},
		"deepseek":     {BaseURL: "https://api.deepseek.com/v1", KeyEnv: []string{"DEEPSEEK_API_KEY"}},
		"digitalocean": {BaseURL: "https://inference.do-ai.run/v1", KeyEnv: []string{"DIGITALOCEAN_ACCESS_TOKEN"}},
		"fireworks":    {BaseURL: "https://api.fireworks.ai/inference/v1", KeyEnv: []string{"FIREWORKS_API_KEY"}},
		"friendli":     {BaseURL: "https://api.friendli.ai/serverless/v1", KeyEnv: []string{"FRIENDLI_TOKEN"}},
		"github":       {BaseURL: "https://models.github.ai/inference", KeyEnv: []string{"GITHUB_TOKEN"}},
		"groq":         {BaseURL: "https://api.groq.com/openai/v1", KeyEnv: []string{"GROQ_API_KEY"}},
		"huggingface":  {BaseURL: "https://router.huggingface.co/v1", KeyEnv: []string{"HF_TOKEN"}},
		"hyperbolic":   {BaseURL: "https://api.hyperbolic.xyz/v1", KeyEnv: []string{"HYPERBOLIC_API_KEY"}},
		"inception":    {BaseURL: "https://api.inceptionlabs.ai/v1", KeyEnv: []string{"INCEPTION_API_KEY"}},
		"inference":    {BaseURL: "https://inference.net/v1", KeyEnv: []string{"INFERENCE_API_KEY"}},
		"llama":        {BaseURL: "https://api.llama.com/compat/v1", KeyEnv: []string{"LLAMA_API_KEY"}},
		"mistral":      {BaseURL: "https://api.mistral.ai/v1", KeyEnv: []string{"MISTRAL_API_KEY"}, Needless: []string{"stream_options"}},
		"modelscope":   {BaseURL: "https://api-inference.modelscope.cn/v1", KeyEnv: []string{"MODELSCOPE_API_KEY"}},
		"moonshot":     {BaseURL: "https://api.moonshot.ai/v1", KeyEnv: []string{"MOONSHOT_API_KEY"}, PriceBook: "moonshotai"},
		"moonshot-cn":  {BaseURL: "https://api.moonshot.cn/v1", KeyEnv: []string{"MOONSHOT_API_KEY"}, PriceBook: "moonshotai"},
		"nebius":       {BaseURL: "https://api.tokenfactory.nebius.com/v1", KeyEnv: []string{"NEBIUS_API_KEY"}},
		"novita":       {BaseURL: "https://api.novita.ai/openai", KeyEnv: []string{"NOVITA_API_KEY"}},
		"nvidia":       {BaseURL: "https://integrate.api.nvidia.com/v1", KeyEnv: []string{"NVIDIA_API_KEY"}},
		"ollama-cloud": {BaseURL: "https://ollama.com", KeyEnv: []string{"OLLAMA_API_KEY"}, Dialects: ollamaAndChat, ChatPath: []string{"v1"}},
		"openrouter":   {BaseURL: "https://openrouter.ai/api/v1", KeyEnv: []string{"OPENROUTER_API_KEY"}, Dialects: chatAndResponses},
		"ovhcloud":     {BaseURL: "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", KeyEnv: []string{"OVHCLOUD_API_KEY"}},
		"perplexity":   {BaseURL: "https://api.perplexity.ai", KeyEnv: []string{"PERPLEXITY_API_KEY"}, Unversioned: true},
		"poe":          {BaseURL: "https://api.poe.com/v1", KeyEnv: []string{"POE_API_KEY"}},
		"requesty":     {BaseURL: "https://router.requesty.ai/v1", KeyEnv: []string{"REQUESTY_API_KEY"}},
		"sambanova":    {BaseURL: "https://api.sambanova.ai/v1", KeyEnv: []string{"SAMBANOVA_API_KEY"}},
		"scaleway":     {BaseURL: "https://api.scaleway.ai/v1", KeyEnv: []string{"SCALEWAY_API_KEY"}},
		"siliconflow":  {BaseURL: "https://api.siliconflow.com/v1", KeyEnv: []string{"SILICONFLOW_API_KEY"}},
		"stepfun":      {BaseURL: "https://api.stepfun.com/v1", KeyEnv: []string{"STEPFUN_API_KEY"}},
		"together":     {BaseURL: "https://api.together.xyz/v1", KeyEnv: []string{"TOGETHER_API_KEY"}},
		"upstage":      {BaseURL: "https://api.upstage.ai/v1/solar", KeyEnv: []string{"UPSTAGE_API_KEY"}},
		"vercel":       {BaseURL: "https://ai-gateway.vercel.sh/v1", KeyEnv: []string{"AI_GATEWAY_API_KEY"}},
		"vultr":        {BaseURL: "https://api.vultrinference.com/v1", KeyEnv: []string{"VULTR_API_KEY"}},
		"wandb":        {BaseURL: "https://api.inference.wandb.ai/v1", KeyEnv: []string{"WANDB_API_KEY"}},
		"xai":          {BaseURL: "https://api.x.ai/v1", KeyEnv: []string{"XAI_API_KEY"}, Dialects: chatAndResponses, PriceBook: "x-ai"},
		"zai":          {BaseURL: "https://api.z.ai/api/paas/v4", KeyEnv: []string{"ZAI_API_KEY", "ZHIPU_API_KEY"}},
		"zhipuai":      {BaseURL: "https://open.bigmodel.cn/api/paas/v4", KeyEnv: []string{"ZHIPU_API_KEY"}},

		// Servers that people run themselves, at the ports they listen on by default.
		"litellm":  {BaseURL: "http://localhost:4000/v1", KeyEnv: []string{"LITELLM_API_KEY"}, KeyOptional: true},
		"llamacpp": {BaseURL: "http://localhost:8080/v1", KeyEnv: []string{"LLAMA_CPP_API_KEY"}, KeyOptional: true, Local: true},
		"lmstudio": {BaseURL: "http://localhost:1234/v1", KeyEnv: []string{"LMSTUDIO_API_KEY"}, KeyOptional: true, Local: true, Dialects: chatAndResponses},
		"ollama":   {BaseURL: "http://localhost:11434", KeyOptional: true, Local: true, Dialects: ollamaAndChat, ChatPath: []string{"v1"}},
		"sglang":   {BaseURL: "http://localhost:30000/v1", KeyEnv: []string{"SGLANG_API_KEY"}, KeyOptional: true, Local: true},
		"vllm":     {BaseURL: "http://localhost:8000/v1", KeyEnv: []string{"VLLM_API_KEY"}, KeyOptional: true, Local: true},
	}
)

// Preset returns what is known about the preset of that name.
func Preset(name string) (PresetInfo, bool) {
	p, ok := presets[name]
	if !ok {
		return PresetInfo{}, false
	}
	if len(p.Dialects) == 0 {
		p.Dialects = []providers.Dialect{providers.Chat}
	}
	if p.PriceBook == "" && !p.KeyOptional {
		p.PriceBook = name
	}
	return p, true
}

// PresetNames lists all presets in alphabetical order.
func PresetNames() []string { return slices.Sorted(maps.Keys(presets)) }
