"""Attack: read another process's memory and descriptors: process_vm_readv, pidfd_getfd, kcmp
Source: process_vm_readv(2), pidfd_getfd(2), kcmp(2)
Profiles: basic docker
Weakening: seccomp
"""

import os

from probe import call, held, refused

own = call("pidfd_open", os.getpid(), 0)[0]
answers = [refused("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0), refused("kcmp", os.getpid(), os.getpid(), 0, 0, 0)]
answers.append(refused("pidfd_getfd", own, 0, 0))
held("; ".join(answers))
