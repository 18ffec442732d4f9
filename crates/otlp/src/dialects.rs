//! What the words and figures of a span are called, as data: one row per field of a step, the names in the order in
//! which they count. The names of token counts are in `engine::usage`.
//!
//! Sources: the OpenTelemetry semantic conventions for generative AI before 1.37, 1.37 to 1.41 and the repository they
//! moved to; OpenInference; OpenLLMetry (Traceloop); the Vercel AI SDK; Langfuse; TraceRoot; LangSmith.

use domain::StepKind;

/// A field of a step that is one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Provider,
    /// The model that answered.
    Model,
    RequestModel,
    StopReason,
    Session,
    User,
    Environment,
    Release,
    Tool,
    ErrorClass,
    Template,
}

pub(crate) const WORDS: &[(Field, &[&str])] = &[
    (
        Field::Provider,
        &[
            "gen_ai.provider.name",
            "gen_ai.system",
            "llm.provider",
            "llm.system",
            "ai.model.provider",
        ],
    ),
    (
        Field::Model,
        &[
            "gen_ai.response.model",
            "ai.response.model",
            "llm.response.model_name",
            "llm.response.model",
            "llm.model_name",
            "langfuse.observation.model.name",
            "traceroot.llm.model",
            "embedding.model_name",
            "reranker.model_name",
        ],
    ),
    (
        Field::RequestModel,
        &[
            "gen_ai.request.model",
            "llm.request.model_name",
            "llm.request.model",
            "ai.model.id",
        ],
    ),
    (
        Field::StopReason,
        &[
            "gen_ai.response.finish_reasons",
            "gen_ai.response.finish_reason",
            "gen_ai.response.stop_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
            "llm.finish_reason",
            "ai.response.finishReason",
            "ai.finishReason",
            "gen_ai.completion.0.finish_reason",
        ],
    ),
    (
        Field::Session,
        &[
            "session.id",
            "langfuse.session.id",
            "traceroot.trace.session_id",
            "gen_ai.conversation.id",
            "traceloop.association.properties.session_id",
            "traceloop.association.properties.chat_id",
            "traceloop.association.properties.thread_id",
            "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.session_id",
            "langsmith.trace.session_id",
        ],
    ),
    (
        Field::User,
        &[
            "user.id",
            "langfuse.user.id",
            "traceroot.trace.user_id",
            "enduser.id",
            "traceloop.association.properties.user_id",
            "ai.telemetry.metadata.userId",
            "ai.telemetry.metadata.user_id",
            "gen_ai.user",
        ],
    ),
    (
        Field::Environment,
        &[
            "langfuse.environment",
            "traceroot.environment",
            "deployment.environment.name",
            "deployment.environment",
            "sentry.environment",
        ],
    ),
    (
        Field::Release,
        &[
            "langfuse.release",
            "traceroot.git.ref",
            "sentry.release",
            "vcs.ref.head.revision",
            "service.version",
        ],
    ),
    (
        Field::Tool,
        &[
            "gen_ai.tool.name",
            "tool.name",
            "tool_call.function.name",
            "ai.toolCall.name",
        ],
    ),
    (Field::ErrorClass, &["error.type", "exception.type"]),
    (
        Field::Template,
        &["llm.prompt_template.template", "traceloop.prompt.template"],
    ),
];

/// What an attribute says about a span's kind. The first row whose attribute the span has, and whose word it is,
/// counts: the most explicit come first.
pub(crate) const KINDS: &[(&str, &[(&str, StepKind)])] = &[
    (
        "openinference.span.kind",
        &[
            ("LLM", StepKind::Llm),
            ("EMBEDDING", StepKind::Embedding),
            ("CHAIN", StepKind::Chain),
            ("RETRIEVER", StepKind::Retrieval),
            ("RERANKER", StepKind::Retrieval),
            ("TOOL", StepKind::Tool),
            ("AGENT", StepKind::Agent),
            ("GUARDRAIL", StepKind::Guardrail),
            ("EVALUATOR", StepKind::Other),
            ("PROMPT", StepKind::Other),
        ],
    ),
    (
        "langfuse.observation.type",
        &[
            ("generation", StepKind::Llm),
            ("embedding", StepKind::Embedding),
            ("agent", StepKind::Agent),
            ("tool", StepKind::Tool),
            ("chain", StepKind::Chain),
            ("retriever", StepKind::Retrieval),
            ("guardrail", StepKind::Guardrail),
            ("evaluator", StepKind::Other),
            ("event", StepKind::Other),
            ("span", StepKind::Other),
        ],
    ),
    (
        "traceroot.span.type",
        &[
            ("LLM", StepKind::Llm),
            ("AGENT", StepKind::Agent),
            ("TOOL", StepKind::Tool),
            ("CHAIN", StepKind::Chain),
            ("RETRIEVER", StepKind::Retrieval),
            ("EMBEDDING", StepKind::Embedding),
            ("SPAN", StepKind::Other),
        ],
    ),
    (
        "langsmith.span.kind",
        &[
            ("llm", StepKind::Llm),
            ("chain", StepKind::Chain),
            ("tool", StepKind::Tool),
            ("retriever", StepKind::Retrieval),
            ("embedding", StepKind::Embedding),
            ("prompt", StepKind::Other),
            ("parser", StepKind::Other),
        ],
    ),
    (
        "ai.operationId",
        &[
            ("ai.generateText.doGenerate", StepKind::Llm),
            ("ai.streamText.doStream", StepKind::Llm),
            ("ai.generateObject.doGenerate", StepKind::Llm),
            ("ai.streamObject.doStream", StepKind::Llm),
            ("ai.embed.doEmbed", StepKind::Embedding),
            ("ai.embedMany.doEmbed", StepKind::Embedding),
            ("ai.toolCall", StepKind::Tool),
            ("ai.generateText", StepKind::Agent),
            ("ai.streamText", StepKind::Agent),
            ("ai.generateObject", StepKind::Chain),
            ("ai.streamObject", StepKind::Chain),
            ("ai.embed", StepKind::Chain),
            ("ai.embedMany", StepKind::Chain),
            ("ai.rerank.doRerank", StepKind::Retrieval),
            ("ai.rerank", StepKind::Chain),
        ],
    ),
    (
        "gen_ai.operation.name",
        &[
            ("chat", StepKind::Llm),
            ("generate_content", StepKind::Llm),
            ("text_completion", StepKind::Llm),
            ("completion", StepKind::Llm),
            ("response", StepKind::Llm),
            ("responses", StepKind::Llm),
            ("embeddings", StepKind::Embedding),
            ("embedding", StepKind::Embedding),
            ("retrieval", StepKind::Retrieval),
            ("search_memory", StepKind::Retrieval),
            ("create_agent", StepKind::Agent),
            ("invoke_agent", StepKind::Agent),
            ("invoke_workflow", StepKind::Chain),
            ("plan", StepKind::Chain),
            ("execute_tool", StepKind::Tool),
            ("create_memory", StepKind::Other),
            ("update_memory", StepKind::Other),
            ("upsert_memory", StepKind::Other),
            ("delete_memory", StepKind::Other),
            ("create_memory_store", StepKind::Other),
            ("delete_memory_store", StepKind::Other),
        ],
    ),
    (
        "traceloop.span.kind",
        &[
            ("workflow", StepKind::Chain),
            ("task", StepKind::Chain),
            ("agent", StepKind::Agent),
            ("tool", StepKind::Tool),
            ("unknown", StepKind::Other),
        ],
    ),
    (
        "llm.request.type",
        &[
            ("chat", StepKind::Llm),
            ("completion", StepKind::Llm),
            ("embedding", StepKind::Embedding),
            ("rerank", StepKind::Retrieval),
        ],
    ),
    ("mcp.method.name", &[("tools/call", StepKind::Tool)]),
    (
        "db.system",
        &[
            ("chroma", StepKind::Retrieval),
            ("milvus", StepKind::Retrieval),
            ("pinecone", StepKind::Retrieval),
            ("qdrant", StepKind::Retrieval),
            ("weaviate", StepKind::Retrieval),
        ],
    ),
];

/// Durations until the first token, and how many milliseconds their unit has.
pub(crate) const FIRST_TOKEN: &[(&str, f64)] = &[
    ("gen_ai.response.time_to_first_chunk", 1_000.0),
    ("gen_ai.response.time_to_first_token", 1_000.0),
    ("ai.response.msToFirstChunk", 1.0),
    ("ai.stream.msToFirstChunk", 1.0),
];

/// The time of the first token.
pub(crate) const FIRST_TOKEN_AT: &str = "langfuse.observation.completion_start_time";

/// Labels of a run: a list, or JSON of one.
pub(crate) const TAGS: &[&str] = &[
    "langfuse.trace.tags",
    "traceroot.trace.tags",
    "traceroot.span.tags",
    "tag.tags",
];

/// Usage as a provider's object, in JSON.
pub(crate) const USAGE_OBJECTS: &[&str] = &[
    "traceroot.llm.usage",
    "langfuse.observation.usage_details",
    "langsmith.usage",
];

/// A span with an attribute that begins like this is one of those who call models.
pub(crate) const PREFIXES: &[&str] = &[
    "gen_ai.",
    "llm.",
    "ai.",
    "openinference.",
    "traceloop.",
    "langfuse.observation.",
    "langfuse.trace.",
    "traceroot.span.",
    "traceroot.llm.",
    "mcp.",
    "input.value",
    "output.value",
    "retrieval.documents.",
    "reranker.",
    "embedding.",
    "tool.",
];

/// Texts of a step and what is only another form of them: none of it stands beside the row. Nor do a call's headers,
/// where keys are.
pub(crate) const CONTENT: &[&str] = &[
    "gen_ai.headers",
    "ai.request.headers.",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.prompt",
    "gen_ai.prompt.",
    "gen_ai.completion",
    "gen_ai.completion.",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts",
    "llm.prompts.",
    "llm.choices.",
    "llm.tools.",
    "llm.request.functions.",
    "llm.prompt_template.template",
    "input.value",
    "output.value",
    "retrieval.documents.",
    "reranker.query",
    "reranker.input_documents.",
    "reranker.output_documents.",
    "embedding.embeddings.",
    "ai.prompt",
    "ai.prompt.",
    "ai.response.text",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.toolCalls",
    "ai.result.text",
    "ai.result.object",
    "ai.result.toolCalls",
    "ai.toolCall.args",
    "ai.toolCall.input",
    "ai.toolCall.result",
    "ai.toolCall.output",
    "ai.value",
    "ai.values",
    "ai.embedding",
    "ai.embeddings",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "traceloop.prompt.template",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "traceroot.span.input",
    "traceroot.span.output",
    "traceroot.llm.prompt",
    "tool.parameters",
    "mcp.request.argument",
    "mcp.response.value",
];

/// Names that begin like one in [`CONTENT`] and are no text.
pub(crate) const NO_CONTENT: &[&str] = &[
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
    "ai.prompt.toolChoice",
];

/// Texts of what is no conversation, in the order in which they count.
pub(crate) const INPUTS: &[&str] = &[
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "ai.toolCall.input",
    "traceroot.span.input",
    "traceroot.llm.prompt",
    "langfuse.observation.input",
    "traceloop.entity.input",
    "input.value",
    "gen_ai.retrieval.query.text",
    "reranker.query",
    "ai.value",
    "ai.values",
    "tool.parameters",
    "mcp.request.argument",
    "langfuse.trace.input",
];

/// The same of what came back.
pub(crate) const OUTPUTS: &[&str] = &[
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "ai.toolCall.output",
    "traceroot.span.output",
    "langfuse.observation.output",
    "traceloop.entity.output",
    "output.value",
    "gen_ai.retrieval.documents",
    "mcp.response.value",
    "langfuse.trace.output",
];

/// Of a resource, what every step of it carries.
pub(crate) const OF_RESOURCE: &[&str] = &["service.name", "service.namespace", "openinference.project.name"];

/// What the Vercel AI SDK appends to a provider's name.
pub(crate) const PROVIDER_PARTS: &[&str] = &[
    ".chat",
    ".responses",
    ".completion",
    ".embedding",
    ".embeddings",
    ".messages",
    ".generative-ai",
];
