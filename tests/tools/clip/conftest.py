from tests.tools.clip.fixtures import clip, files, marked_folder, one_thread

__all__ = ["clip", "files", "marked_folder", "one_thread"]
