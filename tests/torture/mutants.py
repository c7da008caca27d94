"""Changes to the code that break a promise, each with a test that must fail when it is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`before` stands exactly once in `file`; with `after` in its place, `test` has to fail."""

    breaks: str
    file: str
    before: str
    after: str
    test: str


MUTANTS = [
    Mutant(
        breaks="what was acknowledged survives a power cut",
        file="vault/store.py",
        before='("synchronous", "FULL", 2)',
        after='("synchronous", "OFF", 0)',
        test="tests/vault/test_vault.py::test_the_promised_pragmas_are_on",
    ),
    Mutant(
        breaks="the lock holds threads that are older than it",
        file="engine/seccomp.py",
        before="one, one, ctypes.byref(argument)",
        after="one, ctypes.c_long(0), ctypes.byref(argument)",
        test=(
            "tests/engine/test_lock.py::test_a_way_out_is_refused_from_inside_every_process_also_to_a_thread_"
            "older_than_the_lock[tcp]"
        ),
    ),
    Mutant(
        breaks="nothing connects while it sends (TCP fast open)",
        file="engine/lock.py",
        before='    "sendmsg": [[Check(2, "eq", 0, _FASTOPEN)]],\n',
        after="",
        test="tests/engine/test_seccomp.py::test_no_line_of_the_filter_is_lost[engine]",
    ),
    Mutant(
        breaks="no process of the user looks into a locked one",
        file="engine/lock.py",
        before="    seccomp.libc_handle().prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, which 0 is always allowed\n",
        after="",
        test="tests/engine/test_lock.py::test_a_locked_process_leaves_no_core_and_cannot_be_looked_into",
    ),
    Mutant(
        breaks="a crash leaves no memory on the disk",
        file="engine/lock.py",
        before="    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n",
        after="",
        test="tests/engine/test_lock.py::test_a_locked_process_leaves_no_core_and_cannot_be_looked_into",
    ),
    Mutant(
        breaks="the engine writes to the vault and the state folder alone",
        file="engine/serving.py",
        before="    lock.limit_files(readable=None, writable=[*folders, Path(os.devnull)], devices=devices)\n",
        after="",
        test=(
            "tests/engine/test_lock_in_use.py::test_no_process_writes_outside_the_vault_or_reads_what_is_not_"
            "its_own[engine]"
        ),
    ),
    Mutant(
        breaks="a parser that was taken over opens no file",
        file="engine/worker.py",
        before="    lock.limit_files(readable=(), writable=())\n",
        after="",
        test="tests/engine/test_zygote.py::test_a_worker_has_two_descriptors_and_can_open_write_start_and_ask_nothing",
    ),
    Mutant(
        breaks="a document's picture is not fetched",
        file="ui/guard.py",
        before="img-src 'self' data: blob:; ",
        after="img-src * data: blob:; ",
        test="tests/ui/test_guard.py::test_the_policy_is_on_every_answer_and_cannot_be_loosened_from_inside",
    ),
    Mutant(
        breaks="the browser is not shown what the engine wrote",
        file="engine/show.py",
        before=" or any(real.is_relative_to(os.path.realpath(folder)) for folder in kept_out):",
        after=":",
        test="tests/engine/test_show.py::test_nothing_the_engine_can_have_written_is_opened[straight]",
    ),
    Mutant(
        breaks="a WebSocket is opened from the page's own origin alone",
        file="ui/guard.py",
        before='elif scope["type"] == "websocket" or scope["method"]',
        after='elif scope["type"] == "http" and scope["method"]',
        test="tests/ui/test_guard.py::test_a_websocket_needs_host_and_origin_and_cookie[own-none-own]",
    ),
    Mutant(
        breaks="a name that was rebound to this machine opens nothing",
        file="ui/guard.py",
        before='if headers.only("host") != self._host:',
        after='if not (headers.only("host") or "").endswith(f":{self._port}"):',
        test="tests/ui/test_guard.py::test_a_websocket_needs_host_and_origin_and_cookie[number-own-own]",
    ),
    Mutant(
        breaks="no other site sends the page's cookie",
        file="ui/guard.py",
        before="HttpOnly; SameSite=Strict; Path=/",
        after="HttpOnly; SameSite=Lax; Path=/",
        test="tests/ui/test_guard.py::test_a_token_is_traded_for_a_cookie_once",
    ),
    Mutant(
        breaks="the address of the page opens it once",
        file="ui/guard.py",
        before=(
            "            self._waiting = [(each, until) for each, until in waiting if not "
            "hmac.compare_digest(each, digest)]\n"
            "            return len(self._waiting) < len(waiting)"
        ),
        after=(
            "            self._waiting = waiting\n"
            "            return any(hmac.compare_digest(each, digest) for each, _ in waiting)"
        ),
        test="tests/ui/test_guard.py::test_a_token_is_traded_for_a_cookie_once",
    ),
    Mutant(
        breaks="who is not known to be this user is refused by the page",
        file="ui/guard.py",
        before="self._port) != self._uid:",
        after="self._port) not in (None, self._uid):",
        test=(
            "tests/ui/test_guard.py::test_a_connection_whose_owner_the_kernel_does_not_name_is_refused_with_"
            "everything_right[http]"
        ),
    ),
    Mutant(
        breaks="another user is refused by the engine",
        file="engine/protocol.py",
        before="if peer_uid(accepted) != os.getuid() or len",
        after="if len",
        test="tests/engine/test_protocol.py::test_another_user_is_not_served",
    ),
    Mutant(
        breaks="pictures of documents do not lie in the browser's cache",
        file="ui/guard.py",
        before="in {200, 206, 304} and _ASSET.match(path)",
        after="in {200, 206, 304} and _PATHS.match(path)",
        test="tests/ui/test_guard.py::test_only_hashed_assets_may_stay_in_a_cache",
    ),
    Mutant(
        breaks="deleted rows are overwritten",
        file="vault/store.py",
        before='("secure_delete", "ON", 1)',
        after='("secure_delete", "OFF", 0)',
        test="tests/vault/test_purge.py::test_nothing_of_a_purged_document_is_left_anywhere",
    ),
    Mutant(
        breaks="a header with a weakened key derivation is refused",
        file="vault/derivation.py",
        before="memory < FLOOR.memory_kib or passes < FLOOR.passes or",
        after="memory < FLOOR.memory_kib or",
        test="tests/vault/test_keys.py::test_a_weakened_or_absurd_derivation_is_refused_when_read_and_when_made[cost1]",
    ),
    Mutant(
        breaks="a header that was changed by someone without the keys is refused",
        file="vault/keys.py",
        before="if not hmac.compare_digest(_seal(header, root), header.seal):",
        after="if not header.seal:",
        test="tests/vault/test_keys.py::test_flipped_bits_are_refused_with_the_passphrase_too",
    ),
    Mutant(
        breaks="wrong passphrases slow down",
        file="vault/attempts.py",
        before=("    begin(counter)\n    opened = keys.unlock_with_passphrase(header, secret)\n"),
        after=("    opened = keys.unlock_with_passphrase(header, secret)\n    begin(counter)\n"),
        test="tests/vault/test_vault.py::test_wrong_passphrases_slow_down_and_the_code_still_opens",
    ),
    Mutant(
        breaks="sleep locks where the time without use does not",
        file="engine/engine.py",
        before="if slept and self.settings.lock_on_sleep:",
        after="if slept and minutes and self.settings.lock_on_sleep:",
        test=(
            "tests/engine/test_sleeping.py::test_sleep_is_slept_through_where_the_user_wants_that_but_counts_"
            "as_time_without_use"
        ),
    ),
    Mutant(
        breaks="what the keyring keeps opens nothing once it is off",
        file="vault/rekey.py",
        before="        _replace_header(vault, keys.without_keyring(vault.header, vault.secret_keys))\n",
        after="",
        test=(
            "tests/engine/test_keyring.py::test_nothing_is_kept_until_it_is_asked_for_then_login_unlocks_and_"
            "a_lock_holds"
        ),
    ),
    Mutant(
        breaks="a recovery code that was replaced opens nothing",
        file="vault/keys.py",
        before="(*without(header, RECOVERY_CODE), new_slot)), code",
        after="(*header.slots, new_slot)), code",
        test="tests/vault/test_keys.py::test_the_code_changes_and_the_passphrase_stays",
    ),
    Mutant(
        breaks="a lock and a purge let go of passages in memory",
        file="engine/engine.py",
        before="        check.forget()\n",
        after="",
        test="tests/engine/test_history.py::test_what_was_made_of_documents_for_answers_goes_from_memory_too[locked]",
    ),
    Mutant(
        breaks="a model forgets what was purged",
        file="engine/engine.py",
        before="        self.answering.forget_all()\n",
        after="",
        test="tests/engine/test_history.py::test_what_a_model_was_told_during_a_purge_is_forgotten_too",
    ),
    Mutant(
        breaks="an answer under way does not keep what is purged meanwhile",
        file="engine/history.py",
        before="if now.purges != since.purges or (since.known and not now.known):",
        after="if since.known and not now.known:",
        test="tests/engine/test_history.py::test_an_answer_that_was_under_way_during_a_purge_is_not_kept",
    ),
    Mutant(
        breaks="no word of a purged document stays in the keyword index",
        file="retrieval/segment.py",
        before="used = np.flatnonzero(frequency)",
        after="used = np.arange(len(words))",
        test="tests/retrieval/test_keyword.py::test_a_removed_chunks_words_stand_in_no_blob",
    ),
    Mutant(
        breaks="the receipt of a purge rests on every page",
        file="vault/readback.py",
        before="in_pages = _in_pages(vault, [*ids, *texts, *names])",
        after="in_pages = Counter[bytes]()",
        test="tests/vault/test_purge.py::test_text_left_in_an_unused_page_is_seen",
    ),
    Mutant(
        breaks="what was purged does not come back with a backup",
        file="vault/purge.py",
        before=("        purge_list.publish(vault)\n        checks,"),
        after="        checks,",
        test=(
            "tests/vault/test_backup.py::test_what_the_last_purge_took_does_not_come_back_though_the_vault_"
            "is_lost_at_once"
        ),
    ),
    Mutant(
        breaks="what was purged does not come back with an older copy that is accepted",
        file="vault/purge_list.py",
        before=("    merge(vault, *kept)\n    return True"),
        after=("    merge(vault, *kept)\n    return False"),
        test=(
            "tests/engine/test_engine.py::test_what_was_purged_since_is_in_no_answer_of_an_older_copy_that_was_accepted"
        ),
    ),
    Mutant(
        breaks="what was purged is not read again with another mail",
        file="ingest/pipeline.py",
        before=("        if purge.is_purged(db, document.id):\n            return []\n"),
        after="",
        test=(
            "tests/ingest/test_pipeline.py::test_a_purged_document_does_not_come_in_again_with_another_mail_"
            "that_it_hangs_on"
        ),
    ),
    Mutant(
        breaks="no backup has the key that a purge shreds",
        file="vault/backup.py",
        before="database=secrets.token_bytes(32)",
        after="database=vault.database_key",
        test="tests/vault/test_backup.py::test_a_backup_has_a_database_key_of_its_own",
    ),
    Mutant(
        breaks="the header with the shredded key is overwritten",
        file="vault/files.py",
        before="                os.pwrite(before, bytes(os.fstat(before).st_size), 0)\n",
        after="",
        test="tests/vault/test_shred.py::test_the_header_of_before_is_overwritten_unless_somebody_kept_it",
    ),
    Mutant(
        breaks="no page of a copy that a crash left is trusted",
        file="vault/recrypt.py",
        before="nonce == page[-TRAILER_BYTES:-16] and pages.opened(page, number, self._key) == content",
        after="nonce == page[-TRAILER_BYTES:-16]",
        test="tests/vault/test_shred.py::test_a_copy_that_a_crash_left_is_taken_up_and_no_page_is_trusted",
    ),
    Mutant(
        breaks="a purge that came meanwhile is not called shredded",
        file="vault/shred.py",
        before="_done(db, covers, ",
        after="_done(db, newest(db), ",
        test="tests/vault/test_shred.py::test_several_purges_go_at_once_and_one_that_comes_meanwhile_is_of_the_next",
    ),
    Mutant(
        breaks="the anchor is on the disk before a change is acknowledged",
        file="vault/anchor.py",
        before="                os.fdatasync(descriptor)\n",
        after="",
        test=(
            "tests/torture/test_crash.py::test_a_crash_leaves_what_was_before_or_after_and_all_that_was_"
            "acknowledged[settings]"
        ),
    ),
    Mutant(
        breaks="an older database is refused",
        file="vault/anchor.py",
        before="if ahead < 0:",
        after="if ahead < -1:",
        test=(
            "tests/vault/test_anchor.py::test_what_does_not_belong_together_is_"
            "refused[database0-beside0-apart0-OlderVaultError]"
        ),
    ),
    Mutant(
        breaks="a passphrase that was changed survives a power cut",
        file="vault/files.py",
        before=("            raise\n        sync_folder(path.parent)\n"),
        after="            raise\n",
        test=(
            "tests/torture/test_crash.py::test_a_crash_leaves_what_was_before_or_after_and_all_that_was_"
            "acknowledged[passphrase]"
        ),
    ),
    Mutant(
        breaks="a power cut leaves a whole new vault or none",
        file="vault/folder.py",
        before=(
            "                if name == HEADER_NAME:\n"
            "                    sync_folder(folder)  # a power cut must not keep the header's name without the others'\n"
        ),
        after="",
        test="tests/torture/test_crash.py::test_a_power_cut_about_a_change_of_names_leaves_all_of_them_or_none[create]",
    ),
    Mutant(
        breaks="a commit before a crash is not taken for a foreign log",
        file="vault/vault.py",
        before=("                        put_state(db, following)\n                        self._leave_rest()\n"),
        after="                        put_state(db, following)\n",
        test="tests/vault/test_resting.py::test_the_anchor_says_that_the_database_may_change_before_it_does",
    ),
    Mutant(
        breaks="a backup that differs from the vault is refused",
        file="vault/backup.py",
        before=("        compare(copy, opened.database, tables)\n        key"),
        after="        key",
        test="tests/vault/test_backup.py::test_a_copy_that_differs_is_refused",
    ),
    Mutant(
        breaks="no link leads a watched folder elsewhere",
        file="ingest/opening.py",
        before="os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        after="os.O_DIRECTORY | os.O_CLOEXEC",
        test="tests/ingest/test_opening.py::test_no_link_is_followed_wherever_it_lies_on_the_way",
    ),
    Mutant(
        breaks="what was hashed cannot change before it is parsed",
        file="ingest/opening.py",
        before="fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE",
        after="fcntl.F_SEAL_GROW",
        test="tests/ingest/test_opening.py::test_not_even_whoever_has_the_copy_can_change_it",
    ),
    Mutant(
        breaks="a large file that changes while it is read is noticed",
        file="ingest/opening.py",
        before="return self.descriptor == self.file and _hashed(self.file) != self.sha256",
        after="return False",
        test="tests/ingest/test_opening.py::test_a_large_file_that_changes_is_noticed_afterwards[by a mapping]",
    ),
    Mutant(
        breaks="a parser cannot give a file the identity of another",
        file="engine/zygote.py",
        before='if document.part == "" and document.id != expected:',
        after='if document.part == "" and not document.id:',
        test=(
            "tests/engine/test_zygote.py::test_a_worker_that_dies_or_lies_costs_its_own_file_and_says_"
            "why[other hash-the parser's output was not valid]"
        ),
    ),
    Mutant(
        breaks="a parser has 1 GiB of memory",
        file="engine/worker.py",
        before="        resource.setrlimit(resource.RLIMIT_DATA if graphics else resource.RLIMIT_AS, (size, size))\n",
        after="        pass\n",
        test=(
            "tests/engine/test_zygote.py::test_a_worker_that_dies_or_lies_costs_its_own_file_and_says_"
            "why[memory-ran out of memory]"
        ),
    ),
    Mutant(
        breaks="a parser has so much of the processor",
        file="engine/worker.py",
        before="    resource.setrlimit(resource.RLIMIT_CPU, (granted, granted + 5))\n",
        after="",
        test="tests/engine/test_zygote.py::test_a_worker_has_limits_before_it_reads_anything",
    ),
    Mutant(
        breaks="what a parser returns is checked field by field",
        file="engine/wire.py",
        before="_integer(start, before, length)",
        after="_integer(start, 0, length)",
        test="tests/engine/test_zygote.py::test_a_field_that_is_not_as_it_must_be_is_refused",
    ),
    Mutant(
        breaks="text that a document hides answers nothing",
        file="ingest/chunk.py",
        before='{"quote", "signature", "furniture", "hidden"}',
        after='{"quote", "signature", "furniture"}',
        test="tests/ingest/test_chunk.py::test_what_a_document_hides_is_not_indexed_and_never_bridged",
    ),
    Mutant(
        breaks="a document's markup stays text where it is marked",
        file="ui/shown.py",
        before="<mark>{escape(text[start:end])}</mark>",
        after="<mark>{text[start:end]}</mark>",
        test="tests/ui/test_shown.py::test_markup_of_a_document_is_shown_letter_by_letter_where_it_is_marked_too",
    ),
    Mutant(
        breaks="a document's control characters do not act in a terminal",
        file="ui/terminal.py",
        before='return shown.neutral(text).replace("\\t", "    ")',
        after='return text.replace("\\t", "    ")',
        test="tests/ui/test_terminal.py::test_no_escape_sequence_stays_live",
    ),
    Mutant(
        breaks="a document's markup stays text in an export",
        file="engine/export.py",
        before="f\"> {escaped(_line(hit['quote']))}\"",
        after="f\"> {_line(hit['quote'])}\"",
        test="tests/engine/test_export.py::test_nothing_of_a_document_becomes_markup",
    ),
    Mutant(
        breaks="a citation is what stands in the document",
        file="generation/extractive.py",
        before="if not quote or text_of(passage.document)[start:end] != quote:",
        after="if not quote:",
        test="tests/generation/test_extractive.py::test_what_no_longer_stands_in_its_document_is_not_cited",
    ),
    Mutant(
        breaks="a number that the passage does not have is left out",
        file="generation/check.py",
        before="_absent(text, [*exact, *named, *quoted], places)",
        after="_absent(text, [*named, *quoted], places)",
        test="tests/generation/test_check.py::test_what_does_not_stand_in_the_passage_is_named",
    ),
    Mutant(
        breaks="a document cannot speak with the system's voice",
        file="generation/prompt.py",
        before='text = plain(passage.text).replace(mark, "")',
        after='text = passage.text.replace(mark, "")',
        test="tests/generation/test_prompt.py::test_what_chat_templates_are_made_of_does_not_survive",
    ),
    Mutant(
        breaks="a document cannot close its fence",
        file="generation/prompt.py",
        before=("    def __init__(self) -> None:\n        self._mark = secrets.token_hex(8)"),
        after=('    def __init__(self) -> None:\n        self._mark = "passage"'),
        test="tests/generation/test_prompt.py::test_a_document_that_quotes_the_fence_does_not_close_it",
    ),
    Mutant(
        breaks="verify calls held what it tried alone",
        file="engine/verdict.py",
        before='return "unknown" if ok is None else "held" if ok else "not held"',
        after='return "held" if ok is None or ok else "not held"',
        test="tests/engine/test_verdict.py::test_results_are_counted",
    ),
    Mutant(
        breaks="nothing starts beside a socket that is open already",
        file="engine/lock.py",
        before="        _refuse_open_ways()\n",
        after="        pass\n",
        test="tests/engine/test_lock.py::test_a_way_out_that_is_open_already_is_an_error",
    ),
    Mutant(
        breaks="no process with a document opens a graphics card",
        file="engine/worker.py",
        before="            lock.limit_files(readable=lock.program_folders(), writable=())\n",
        after="",
        test=(
            "tests/engine/test_writer.py::test_no_worker_with_a_document_opens_a_card_not_even_while_it_"
            "loads_its_libraries"
        ),
    ),
    Mutant(
        breaks="no other site loads anything from the page",
        file="ui/guard.py",
        before='return site in {None, "same-origin", "none"} or (',
        after='return site in {None, "same-origin", "same-site", "cross-site", "none"} or (',
        test=(
            "tests/ui/test_guard.py::test_another_site_may_lead_here_but_not_load_from_"
            "here[cross-site-no-cors-image-403]"
        ),
    ),
    Mutant(
        breaks="a backup goes once where it was typed",
        file="engine/delivering.py",
        before="        self._typed.remove(target)\n",
        after="",
        test="tests/engine/test_delivering.py::test_what_was_typed_counts_once",
    ),
    Mutant(
        breaks="no link stands in for a vault",
        file="engine/vaults.py",
        before="    if os.path.islink(path):\n",
        after="    if False:\n",
        test="tests/engine/test_vaults.py::test_something_else_under_that_name_is_refused[link]",
    ),
    Mutant(
        breaks="the log of a failure has no word of a document",
        file="engine/protocol.py",
        before='{method} failed: {place(error)}", file=sys.stderr',
        after='{method} failed: {error}", file=sys.stderr',
        test="tests/engine/test_protocol.py::test_an_error_in_the_engine_tells_its_place_and_not_its_words",
    ),
    Mutant(
        breaks="an idle vault lets go of what it made of documents",
        file="engine/engine.py",
        before=("        self._hide()\n        if self.settings.lock_ends_engine:"),
        after="        if self.settings.lock_ends_engine:",
        test=(
            "tests/engine/test_sleeping.py::test_what_was_made_of_documents_for_answers_goes_from_memory_"
            "when_it_locks_by_itself[unused]"
        ),
    ),
    Mutant(
        breaks="no vault lies in a folder that a cloud client copies",
        file="vault/vault.py",
        before=("        keys.check_passphrase(passphrase)\n        refuse_synced(folder)\n"),
        after="        keys.check_passphrase(passphrase)\n",
        test="tests/vault/test_vault.py::test_a_synchronised_folder_is_refused",
    ),
    Mutant(
        breaks="no vector of a purged passage stays in memory",
        file="retrieval/index.py",
        before="            self._matrix.clear(places)  # nothing of a purged chunk stays in memory\n",
        after="",
        test="tests/retrieval/test_search.py::test_what_is_removed_is_found_no_more_and_leaves_memory",
    ),
    Mutant(
        breaks="the database under the shredded key is removed",
        file="vault/cutover.py",
        before="        remove_database(old)\n",
        after="",
        test="tests/vault/test_shred.py::test_after_it_the_old_key_opens_nothing_and_everything_is_there",
    ),
    Mutant(
        breaks="a shred looks through every page of the copy",
        file="vault/shred.py",
        before="        sought = Sought(vault, vault.sought)\n",
        after="        sought = None\n",
        test="tests/vault/test_shred.py::test_what_is_left_in_an_unused_page_of_the_copy_is_seen",
    ),
    Mutant(
        breaks="restoring purges again what was purged since",
        file="vault/backup.py",
        before="        purged = purge.reapply(vault, remove_from_index)\n",
        after="        purged = None\n",
        test="tests/vault/test_backup.py::test_what_was_purged_since_does_not_come_back",
    ),
    Mutant(
        breaks="a torn write leaves the anchor of before",
        file="vault/anchor.py",
        before="state.generation % 2 * _PLACE_BYTES\n",
        after="0\n",
        test="tests/vault/test_anchor.py::test_a_write_that_was_torn_leaves_the_one_before",
    ),
    Mutant(
        breaks="a log that was put beside a closed vault is not read",
        file="vault/resting.py",
        before="        log.unlink(missing_ok=True)\n",
        after="        pass\n",
        test="tests/vault/test_resting.py::test_a_log_put_beside_a_closed_vault_is_not_read",
    ),
    Mutant(
        breaks="a shred survives a power cut",
        file="vault/recrypt.py",
        before="            os.fsync(self._file)\n",
        after="",
        test=(
            "tests/torture/test_crash.py::test_a_crash_leaves_what_was_before_or_after_and_all_that_was_"
            "acknowledged[shred]"
        ),
    ),
    Mutant(
        breaks="a drive that is not mounted is no deletion",
        file="ingest/follow.py",
        before="                if folder.paused or not self._present(folder):",
        after="                if folder.paused:",
        test="tests/engine/test_engine.py::test_a_folder_that_vanished_is_not_a_deletion",
    ),
    Mutant(
        breaks="a drawn page is a picture of the size that was said",
        file="engine/wire.py",
        before="if len(data) > MAX_PICTURE_BYTES or _measured(data, media_type) != (width, height):",
        after="if len(data) > MAX_PICTURE_BYTES:",
        test="tests/engine/test_wire.py::test_a_picture_that_is_not_what_it_says_is_refused",
    ),
    Mutant(
        breaks="a sender's name does not pass for an address",
        file="ui/named.py",
        before=("    if _POSING.search(called):\n        shown = sender"),
        after=("    if False:\n        shown = sender"),
        test="tests/ui/test_named.py::test_a_sender_is_a_name_and_the_address_that_it_came_from",
    ),
    Mutant(
        breaks="a model cites only what it was offered",
        file="engine/writer_wire.py",
        before="any(type(each) is not int or each not in offered for each in numbers)",
        after="any(type(each) is not int for each in numbers)",
        test="tests/engine/test_writer.py::test_what_no_sound_process_says_is_refused",
    ),
    Mutant(
        breaks="a number stands beside the words that it belongs to",
        file="generation/check.py",
        before='        reasons = context.misplaced(text, [v for v in exact if v.kind in ("number", "date")], held)\n',
        after="        pass\n",
        test=(
            "tests/generation/test_check.py::test_numbers_exchanged_denials_and_other_subjects_are_noticed_"
            "in_short_sentences"
        ),
    ),
    Mutant(
        breaks="what a killed process committed survives a power cut after the next opening",
        file="vault/vault.py",
        before=('            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()\n            self.anchor()'),
        after="            self.anchor()",
        test="tests/vault/test_vault.py::test_what_a_killed_process_committed_is_on_the_disk_before_it_is_anchored",
    ),
    Mutant(
        breaks="JSON for programs does nothing to a terminal",
        file="ui/terminal.py",
        before="print(json.dumps(value), flush=True)",
        after="print(json.dumps(value, ensure_ascii=False), flush=True)",
        test="tests/ui/test_terminal.py::test_json_is_ascii_so_that_nothing_of_a_document_acts_in_a_terminal",
    ),
    Mutant(
        breaks="a locked vault tells nothing of its folders",
        file="engine/engine.py",
        before='        if self._open is None or self._page_locked or life == "ending":\n',
        after='        if self._open is None or life == "ending":\n',
        test=(
            "tests/engine/test_sleeping.py::test_after_sleep_the_first_request_is_refused_and_the_passphrase_"
            "opens_it_again"
        ),
    ),
    Mutant(
        breaks="what was purged is found no more",
        file="retrieval/index.py",
        before="            alive[places] = embedded[places] = False\n",
        after="            embedded[places] = False\n",
        test="tests/retrieval/test_search.py::test_what_is_removed_is_found_no_more_and_leaves_memory",
    ),
    Mutant(
        breaks="the vault's files are their owner's alone",
        file="vault/files.py",
        before=("os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)\n        try:\n            view"),
        after=("os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)\n        try:\n            view"),
        test="tests/vault/test_files.py::test_a_file_is_replaced_whole_and_private",
    ),
    Mutant(
        breaks="destroying overwrites the keys",
        file="vault/backup.py",
        before=(
            "                    file.write(secrets.token_bytes(path.stat().st_size))\n"
            "                    file.flush()\n"
            "                    os.fsync(file.fileno())\n"
            "                path.unlink()"
        ),
        after=("                    pass\n                path.unlink()"),
        test="tests/vault/test_backup.py::test_a_crash_while_destroying_leaves_nothing_that_opens",
    ),
    Mutant(
        breaks="an answer that repeats what was purged goes with it",
        file="vault/purge.py",
        before=("        if needles.found_in(whole):\n            gone.add(turn)\n"),
        after="",
        test="tests/vault/test_purge.py::test_answers_that_showed_it_or_repeat_it_are_forgotten_and_others_kept",
    ),
]
