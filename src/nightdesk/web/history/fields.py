"""An order's history as the API answers it."""

import json

from nightdesk.model.execution import Fact
from nightdesk.web.history.records import CommandLine, EventLine, History, SendLine
from nightdesk.web.plain import maybe_moment, moment, number
from nightdesk.web.records import signal_fields

Fields = dict[str, object]


def history_fields(history: History) -> Fields:
    """Everything about the order but its own line."""
    return {
        "signal": signal_fields(history.signal) if history.signal is not None else None,
        "legs": [
            {
                "cl_ord_id": leg.cl_ord_id,
                "venue": leg.venue,
                "ord_status": leg.ord_status.value,
                "doubt": leg.doubt.value,
            }
            for leg in history.legs
        ],
        "checks": [{"name": each.name, "limit": each.limit, "value": each.value} for each in history.checks],
        "config_version": history.config_version,
        "commands": [_command(each) for each in history.commands],
        "sends": [_send(each) for each in history.sends],
        "facts": [_fact(each) for each in history.facts],
        "events": [_event(each) for each in history.events],
    }


def _command(line: CommandLine) -> Fields:
    return {
        "kind": line.kind,
        "number": line.number,
        "state": line.state,
        "attempts": line.attempts,
        "actor": line.actor,
        "text": line.text,
        "created_at": moment(line.created_at),
        "updated_at": moment(line.updated_at),
        "deadline_at": moment(line.deadline_at),
    }


def _send(line: SendLine) -> Fields:
    return {
        "wire_id": line.wire_id,
        "kind": line.kind,
        "number": line.number,
        "attempt": line.attempt,
        "payload": line.payload,
        "payload_hash": line.payload_hash,
        "valid_until": maybe_moment(line.valid_until),
        "sending_at": moment(line.sending_at),
        "first_byte_at": maybe_moment(line.first_byte_at),
        "answered_at": maybe_moment(line.answered_at),
        "outcome": line.outcome,
        "text": line.text,
    }


def _fact(fact: Fact) -> Fields:
    return {
        "key": fact.key,
        "kind": fact.kind.value,
        "stamp": fact.stamp,
        "at": moment(fact.at),
        "origin": fact.origin,
        "order_id": fact.order_id,
        "ord_status": fact.ord_status.value if fact.ord_status is not None else None,
        "exec_id": fact.exec_id,
        "last_qty": number(fact.last_qty),
        "last_px": number(fact.last_px),
        "fee": number(fact.fee),
        "fee_currency": fact.fee_currency,
        "cum_qty": number(fact.cum_qty),
        "avg_px": number(fact.avg_px),
        "order_qty": number(fact.order_qty),
        "price": number(fact.price),
        "revision": fact.revision,
        "code": fact.code.name if fact.code is not None else None,
        "text": fact.text,
    }


def _event(line: EventLine) -> Fields:
    return {"seq": line.seq, "topic": line.topic, "at": moment(line.at), "data": json.loads(line.data)}
