"""The yardstick: a FastAPI endpoint that validates the same body and stores nothing."""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Alert(BaseModel):
    """The body of the benchmark's alerts."""

    symbol: str
    side: str
    size: str
    strategy: str | None = None
    price: str | None = None
    id: str | None = None


@app.post("/api/webhook", status_code=202)
async def webhook(alert: Alert) -> dict[str, str]:
    """An answer, and nothing else."""
    return {"signal_id": alert.id or "", "code": "ACCEPTED"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
