; Burns its vCPU without ever leaving the guest on its own account.
bits 16
org 0
        cli
.spin:  jmp     .spin
