"""`agent serve`: a vLLM server that suits this product."""

from __future__ import annotations

import click

from agent import serve as serving


@click.command()
@click.option(
    "--model", default=serving.DEFAULT_MODEL, show_default=True, help="Hub name or folder of the model."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on."
)
@click.option(
    "--images-per-prompt",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Images in one prompt at most.",
)
@click.option(
    "--max-model-len",
    default=16384,
    show_default=True,
    type=click.IntRange(1024),
    help="Tokens of prompt and answer at most.",
)
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
def serve(
    model: str, host: str, port: int, images_per_prompt: int, max_model_len: int, extra: tuple[str, ...]
) -> int:
    """Start vLLM with the flags that suit this product; what follows -- goes to vLLM as it is."""
    return serving.serve(
        model,
        host=host,
        port=port,
        images_per_prompt=images_per_prompt,
        max_model_len=max_model_len,
        extra=extra,
    )
