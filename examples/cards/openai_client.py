"""The OpenAI sample of the 1b's and the 300m's card; the last line says which model answered."""

from openai import OpenAI

client = OpenAI(
    api_key="$NVIDIA_API_KEY",
    base_url="http://127.0.0.1:8000/v1",
)

response = client.embeddings.create(
    input=["where do oxbow lakes come from?"],
    model="nvidia/llama-nemotron-embed-1b-v2",
    encoding_format="float",
    extra_body={"input_type": "query", "truncate": "NONE"},
)

print(response.data[0].embedding)
print(response.model)
