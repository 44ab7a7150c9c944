; Writes one word into each page from 1 MiB to 16 MiB, over and over: the VMM's resident size grows by
; 15 MiB in the first round. Needs a VM with 16 MiB or more.
bits 16
org 0
        cli
%include "big_real_mode.inc"
round: mov     edi, 0x100000
page:  inc     word [gs:edi]
        add     edi, 0x1000
        cmp     edi, 0x1000000
        jb      page
        jmp     round
