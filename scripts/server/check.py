"""The server under the `openai` package, and under schemathesis: `cargo xtask api`.

The package is used as its documentation shows; schemathesis makes requests from the OpenAPI document and looks for
responses that the document does not allow.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import openai

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A server of the bundled model."""

    def __init__(self, *options: str):
        program = ROOT / "target/release/terntable"
        command = [program, "serve", "--listen", "127.0.0.1:0", "--log", "error", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(timeout=40) == 0, "the server did not end in order"


def fails(kind, call):
    """The error of a call that must fail."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


def package(url: str) -> None:
    """What people do with the package."""
    client = openai.OpenAI(base_url=url + "/v1", api_key="secret", max_retries=0)
    model = client.models.list().data[0].id
    assert client.models.retrieve(model).id == model
    say = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "ROMEO:"}]
    manner = dict(model=model, messages=say, temperature=0.9, seed=5, max_tokens=30)
    chat = client.chat.completions

    whole = chat.create(**manner, n=2, logprobs=True, top_logprobs=2)
    text = whole.choices[0].message.content
    assert text and whole.choices[0].finish_reason == "length" and whole.usage.completion_tokens == 60
    assert "".join(t.token for t in whole.choices[0].logprobs.content) == text
    assert all(len(t.top_logprobs) == 2 for t in whole.choices[0].logprobs.content)

    chunks = list(chat.create(**manner, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage.total_tokens == whole.usage.prompt_tokens + 30
    with chat.stream(**manner) as stream:
        assert "".join(e.delta for e in stream if e.type == "content.delta") == text
    stop = chat.create(**manner, stop=[text[10:12]])
    assert stop.choices[0].message.content == text[: text.index(text[10:12])]
    assert stop.choices[0].finish_reason == "stop"
    extra = chat.create(**manner, extra_body={"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.1})
    assert extra.choices[0].message.content
    again = chat.create(model=model, messages=say + [whole.choices[0].message, say[1]], max_tokens=4)
    assert again.usage.prompt_tokens > whole.usage.prompt_tokens

    completion = client.completions.create(model=model, prompt=["a", "b"], max_tokens=5, logprobs=1)
    assert [c.index for c in completion.choices] == [0, 1]
    texts = [c.choices[0].text for c in client.completions.create(model=model, prompt="a", stream=True)]
    assert len(texts) == 17, texts

    error = fails(openai.BadRequestError, lambda: chat.create(**{**manner, "temperature": 3}))
    assert error.param == "temperature" and error.type == "invalid_request_error", error
    fails(openai.NotFoundError, lambda: chat.create(**{**manner, "model": "gpt"}))
    fails(openai.BadRequestError, lambda: chat.create(**manner, tools=[{"type": "function", "function": {"name": "f"}}]))
    other = openai.OpenAI(base_url=url + "/v1", api_key="wrong", max_retries=0)
    assert fails(openai.AuthenticationError, other.models.list).code == "invalid_api_key"
    print("openai", openai.__version__, "works")


def schemas(url: str, examples: int, seed: int) -> None:
    """Requests that the document allows, and requests that it does not."""
    tool = Path(sys.executable).with_name("schemathesis")
    command = [tool, "run", url + "/openapi.json", "--header", "Authorization: Bearer secret"]
    command += ["--max-examples", str(examples), "--seed", str(seed), "--request-timeout", "30", "--checks", "all"]
    print(" ".join(map(str, command)), flush=True)
    hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(Path(__file__).parent)}
    if subprocess.run(command, cwd=ROOT / "target", env=os.environ | hooks).returncode != 0:
        sys.exit("schemathesis found something")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests that schemathesis makes an endpoint")
    parser.add_argument("--seed", type=int, default=1, help="seed of schemathesis")
    options = parser.parse_args()
    with Server("--api-key", "secret") as server:
        package(server.url)
        schemas(server.url, options.examples, options.seed)


if __name__ == "__main__":
    main()
