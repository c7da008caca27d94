"""The system calls that each process is refused altogether, written down a second time."""

# What has to be refused to every process. Written down here once more, so that no line of engine/lock.py is lost
# unnoticed: a line is taken out of both, by somebody who means it.
EVERYWHERE = """
    socket connect bind execve execveat
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd kcmp
    mq_open mq_unlink msgget msgsnd msgrcv msgctl semget semop semctl semtimedop shmget shmat shmctl
    keyctl add_key request_key
    tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
    bpf perf_event_open userfaultfd
    unshare setns mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
    mount_setattr name_to_handle_at open_by_handle_at fanotify_init fanotify_mark
    kexec_load kexec_file_load init_module finit_module delete_module swapon swapoff reboot acct quotactl quotactl_fd
    syslog iopl ioperm modify_ldt personality settimeofday clock_settime adjtimex clock_adjtime sethostname
    setdomainname vhangup uselib ustat lookup_dcookie nfsservctl _sysctl move_pages migrate_pages
    truncate
    chown lchown fchown fchownat setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr
    removexattrat utime utimes utimensat futimesat file_setattr mknod mknodat
"""
MODES = "chmod fchmod fchmodat fchmodat2 inotify_init inotify_init1"
SOCKETS = "socketpair accept accept4 listen sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg setsockopt"
MORE = {
    "engine": "fork vfork listen",
    "page": f"fork vfork {MODES}",
    "zygote": f"listen accept accept4 setsockopt {MODES}",
    "worker": f"fork vfork {MODES} {SOCKETS}",
    "writer": f"fork vfork {MODES} {SOCKETS}",
    "connector": f"fork vfork {MODES} socketpair accept accept4 listen setsockopt sendmsg sendmmsg",
}


def refused(profile):
    """Their names, for this kind of process."""
    return f"{EVERYWHERE} {MORE[profile]}".split()
