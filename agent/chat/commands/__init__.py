"""The commands of the chat, each behind a slash."""

from agent.chat.chat import Command
from agent.chat.commands.evaluating import EVALUATING
from agent.chat.commands.explaining import EXPLAINING
from agent.chat.commands.feeding_back import FEEDING_BACK
from agent.chat.commands.keeping import KEEPING
from agent.chat.commands.looking import LOOKING
from agent.chat.commands.subject import SUBJECT
from agent.chat.commands.way import WAY

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (*SUBJECT, *LOOKING, *EXPLAINING, *EVALUATING, *FEEDING_BACK, *WAY, *KEEPING)
}
"""Every command by its name, in the order in which help lists them."""

__all__ = ["COMMANDS"]
