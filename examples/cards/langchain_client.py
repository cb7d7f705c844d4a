"""The LangChain sample of the 1b's and the 300m's card. The role is in the method's name."""

from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings

client = NVIDIAEmbeddings(
    model="nvidia/llama-nemotron-embed-1b-v2",
    api_key="$NVIDIA_API_KEY",
    base_url="http://127.0.0.1:8000/v1",
    truncate="NONE",
)

embedding = client.embed_query("where do oxbow lakes come from?")
print(embedding)
